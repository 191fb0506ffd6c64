/* SPDX-License-Identifier: Apache-2.0 */
/* Threads on POSIX systems. */
#define _GNU_SOURCE /* pthread_setname_np */
#include "runtime/base/os.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "runtime/base/context.h"

struct heedi_mutex {
    pthread_mutex_t mutex;
};

struct heedi_condition {
    pthread_cond_t condition;
};

struct heedi_thread {
    pthread_t thread;
    void (*fn)(void *);
    void *arg;
    char name[16];
};

struct heedi_mutex *heedi_os_mutex_create(const struct heedi_env *env) {
    struct heedi_mutex *mutex = heedi_calloc(env, 1, sizeof *mutex);
    if (mutex != NULL && pthread_mutex_init(&mutex->mutex, NULL) != 0) {
        heedi_free(env, mutex);
        mutex = NULL;
    }
    return mutex;
}

void heedi_os_mutex_destroy(const struct heedi_env *env, struct heedi_mutex *mutex) {
    if (mutex == NULL)
        return;
    pthread_mutex_destroy(&mutex->mutex);
    heedi_free(env, mutex);
}

void heedi_os_lock(struct heedi_mutex *mutex) {
    pthread_mutex_lock(&mutex->mutex);
}

bool heedi_os_try_lock(struct heedi_mutex *mutex) {
    return pthread_mutex_trylock(&mutex->mutex) == 0;
}

void heedi_os_unlock(struct heedi_mutex *mutex) {
    pthread_mutex_unlock(&mutex->mutex);
}

struct heedi_condition *heedi_os_condition_create(const struct heedi_env *env) {
    struct heedi_condition *condition = heedi_calloc(env, 1, sizeof *condition);
    if (condition != NULL && pthread_cond_init(&condition->condition, NULL) != 0) {
        heedi_free(env, condition);
        condition = NULL;
    }
    return condition;
}

void heedi_os_condition_destroy(const struct heedi_env *env, struct heedi_condition *condition) {
    if (condition == NULL)
        return;
    pthread_cond_destroy(&condition->condition);
    heedi_free(env, condition);
}

void heedi_os_wait(struct heedi_condition *condition, struct heedi_mutex *mutex) {
    pthread_cond_wait(&condition->condition, &mutex->mutex);
}

void heedi_os_wake_all(struct heedi_condition *condition) {
    pthread_cond_broadcast(&condition->condition);
}

static void *thread_main(void *arg) {
    struct heedi_thread *thread = arg;
#if defined(__linux__)
    pthread_setname_np(pthread_self(), thread->name);
#endif
    thread->fn(thread->arg);
    return NULL;
}

struct heedi_thread *heedi_os_thread_start(const struct heedi_env *env, void (*fn)(void *),
                                           void *arg, const char *name) {
    struct heedi_thread *thread = heedi_calloc(env, 1, sizeof *thread);
    if (thread == NULL)
        return NULL;
    thread->fn = fn;
    thread->arg = arg;
    strncpy(thread->name, name, sizeof thread->name - 1);
    /* Signals are the application's: its own threads take them, so ours start with all blocked. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failure = pthread_create(&thread->thread, NULL, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        heedi_free(env, thread);
        return NULL;
    }
    return thread;
}

void heedi_os_thread_join(const struct heedi_env *env, struct heedi_thread *thread) {
    if (thread == NULL)
        return;
    pthread_join(thread->thread, NULL);
    heedi_free(env, thread);
}

void heedi_os_thread_background(void) {
#if defined(__linux__)
    /* Of this thread alone, other than POSIX has it: about a tenth of the share of others where
     * processors are wanting, which is enough to get on. */
    const int nice_now = getpriority(PRIO_PROCESS, 0);
    (void)setpriority(PRIO_PROCESS, 0, nice_now < 9 ? nice_now + 10 : 19);
#endif
}

void heedi_os_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void heedi_os_yield(void) {
    sched_yield();
}

static pthread_mutex_t global_mutex = PTHREAD_MUTEX_INITIALIZER;

void heedi_os_global_lock(void) {
    pthread_mutex_lock(&global_mutex);
}

void heedi_os_global_unlock(void) {
    pthread_mutex_unlock(&global_mutex);
}

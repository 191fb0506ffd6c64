/* SPDX-License-Identifier: Apache-2.0 */
/* The same in C++: handles that release themselves, many texts in one call. */
#include <heed/translate.h>

#include <iostream>
#include <memory>

template <typename T, void (*release)(T *)> struct releaser {
    void operator()(T *object) const {
        release(object);
    }
};
template <typename T, void (*release)(T *)> using handle = std::unique_ptr<T, releaser<T, release>>;

int main(int argc, char **argv) {
    heed_context *context = nullptr;
    heed_model *model = nullptr;
    heed_translator *translator = nullptr;
    bool done = heed_context_create(nullptr, &context) == HEED_OK &&
                heed_model_open(context, nullptr, &model) == HEED_OK &&
                heed_translator_create(context, model, nullptr, &translator) == HEED_OK;
    const handle<heed_context, heed_context_destroy> own_context(context);
    const handle<heed_model, heed_model_close> own_model(model);
    const handle<heed_translator, heed_translator_destroy> own_translator(translator);
    const auto print = [](void *, size_t, const heed_translation *result) {
        std::cout << result->text << '\n';
        return 0;
    };
    done = done && heed_translate_many(translator, argv + 1, nullptr, static_cast<size_t>(argc - 1),
                                       print, nullptr) == HEED_OK;
    if (!done)
        std::cerr << (context != nullptr ? heed_last_error(context) : "out of memory") << '\n';
    return done ? 0 : 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The progress bar: redrawn in place a few times a second, gone before anything else is said. */
#include "tools/os.h"
#include "tools/tool.h"

enum { BAR_CELLS = 30 };

/* There is one terminal, hence one bar. */
static struct {
    bool shown;
    uint64_t begin_ns, drawn_ns;
} bar;

void heedi_tool_progress_show(uint64_t lines, uint64_t done_bytes, uint64_t total_bytes) {
    static const uint64_t redraw_ns = 100000000;
    const uint64_t now = heedi_tool_os_now_ns();
    if (bar.begin_ns == 0)
        bar.begin_ns = now;
    if (total_bytes == 0 || (bar.shown && now - bar.drawn_ns < redraw_ns))
        return;
    const double seconds = (double)(now - bar.begin_ns) * 1e-9;
    const double part = done_bytes < total_bytes ? (double)done_bytes / (double)total_bytes : 1.0;
    const int cells = (int)(part * (int)BAR_CELLS);
    fprintf(stderr, "\r\033[K[%.*s%*s] %3d%%  %llu lines", cells, "##############################",
            BAR_CELLS - cells, "", (int)(part * 100), (unsigned long long)lines);
    if (seconds > 1 && part > 0)
        fprintf(stderr, "  %.1f/s  %.0f s left", (double)lines / seconds,
                seconds * (1 - part) / part);
    fflush(stderr);
    bar.shown = true;
    bar.drawn_ns = now;
}

void heedi_tool_progress_hide(void) {
    if (!bar.shown)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    bar.shown = false;
}

void heedi_tool_progress_text(const char *text) {
    fprintf(stderr, "\r\033[K%s", text);
    fflush(stderr);
    bar.shown = true;
}

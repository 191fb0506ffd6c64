/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces by the SentencePiece library. This file alone is C++; every entry catches everything, and
 * a failure inside the library becomes a status with its words. */
#include <sentencepiece_processor.h>

#include <exception>
#include <new>
#include <string>
#include <vector>

extern "C" {
#include "models/text/pieces.h"
#include "runtime/base/context.h"
}

struct heedi_pieces {
    sentencepiece::SentencePieceProcessor processor;
};

namespace {

/* Runs `work`, which returns a status, and turns an exception into one. */
template <typename Work>
enum heed_status guarded(struct heed_context *context, const char *what, Work work) noexcept {
    try {
        return work();
    } catch (const std::bad_alloc &) {
        return heedi_fail(context, HEED_ERROR_OUT_OF_MEMORY, "%s: out of memory", what);
    } catch (const std::exception &error) {
        return heedi_fail(context, HEED_ERROR_INTERNAL, "%s: %s", what, error.what());
    } catch (...) {
        return heedi_fail(context, HEED_ERROR_INTERNAL, "%s: unknown exception", what);
    }
}

} // namespace

extern "C" enum heed_status heedi_sentencepiece_create(struct heed_context *context,
                                                       const char *file, const void *data,
                                                       size_t bytes, struct heedi_pieces **pieces) {
    heedi_pieces *made = nullptr;
    const enum heed_status result = guarded(context, file, [&] {
        made = new heedi_pieces;
        const sentencepiece::util::Status status = made->processor.LoadFromSerializedProto(
            absl::string_view(static_cast<const char *>(data), bytes));
        if (status.ok() && made->processor.GetPieceSize() > 0)
            return HEED_OK;
        return heedi_fail(context, HEED_ERROR_FORMAT,
                          "%s: not a SentencePiece model of %zu bytes: %s", file, bytes,
                          status.ok() ? "it has no pieces" : status.error_message());
    });
    if (result != HEED_OK) {
        delete made;
        return result;
    }
    *pieces = made;
    return HEED_OK;
}

extern "C" void heedi_pieces_destroy(struct heedi_pieces *pieces) {
    delete pieces;
}

extern "C" enum heed_status heedi_pieces_encode(struct heed_context *context,
                                                const struct heedi_pieces *pieces, const char *text,
                                                size_t bytes, heedi_bytes_fn fn, void *user) {
    return guarded(context, "tokenizer", [&] {
        std::vector<std::string> list;
        const sentencepiece::util::Status status =
            pieces->processor.Encode(absl::string_view(text, bytes), &list);
        if (!status.ok())
            return heedi_fail(context, HEED_ERROR_INTERNAL, "tokenizer: %s",
                              status.error_message());
        for (const std::string &piece : list) {
            const enum heed_status result = fn(user, piece.data(), piece.size());
            if (result != HEED_OK)
                return result;
        }
        return HEED_OK;
    });
}

extern "C" enum heed_status heedi_pieces_decode(struct heed_context *context,
                                                const struct heedi_pieces *pieces,
                                                const struct heedi_slice *list, size_t count,
                                                heedi_bytes_fn fn, void *user) {
    return guarded(context, "tokenizer", [&] {
        std::vector<absl::string_view> views;
        views.reserve(count);
        for (size_t i = 0; i < count; i++)
            views.emplace_back(list[i].data, list[i].bytes);
        std::string text;
        const sentencepiece::util::Status status = pieces->processor.Decode(views, &text);
        if (!status.ok())
            return heedi_fail(context, HEED_ERROR_INTERNAL, "tokenizer: %s",
                              status.error_message());
        return fn(user, text.data(), text.size());
    });
}

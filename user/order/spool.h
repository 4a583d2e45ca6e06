/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool.h - a capture on disk: the stream of records as order gets it, with what it needs to do its work again.
 *
 * A spool holds the run's metadata, the snapshot, every record and stack, and the frames of every code address that a
 * stack names: so it is read without root, without the target and without its binary. Numbers are varints; each chunk
 * is a tag byte, a length and that many bytes, so a cut file is good up to its last whole chunk.
 */
#ifndef ORDER_SPOOL_H
#define ORDER_SPOOL_H

#include "gotrace/record.h"
#include "gotrace/symbols.h"
#include "base/base.h"

struct spool_writer;

/* fd is not closed; symbols is not owned. */
struct spool_writer *spool_create(int fd, struct symbols *symbols);
void spool_meta(struct spool_writer *w, const char *chunk, size_t n); /* a metadata chunk (trace/extra.h) */
void spool_snapshot(struct spool_writer *w, const struct snapshot *s);
void spool_stack(struct spool_writer *w, const struct stack_def *def);
void spool_record(struct spool_writer *w, const struct record *rec);
/* Writes what is buffered. 0 or -errno, of any write so far. */
int spool_flush(struct spool_writer *w);
void spool_free(struct spool_writer *w);

struct spool_sink {
	void (*meta)(void *ctx, const char *text, size_t n);
	void (*snapshot)(void *ctx, const struct snapshot *s);
	void (*stack)(void *ctx, const struct stack_def *def);
	void (*record)(void *ctx, const struct record *rec);
	void *ctx;
};

struct spool_reader;

/* -ENOEXEC: not a spool. */
int spool_open(const char *path, struct spool_reader **ret, struct why *why);
/* Frames of the addresses read so far. Lives as long as the reader. */
struct symbols *spool_symbols(struct spool_reader *r);
/* Everything, in order. 0; -EBADMSG with offset and reason when it is cut or damaged: what was before was delivered. */
int spool_read(struct spool_reader *r, const struct spool_sink *sink, struct why *why);
void spool_close(struct spool_reader *r);

#endif

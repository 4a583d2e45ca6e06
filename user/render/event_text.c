/* SPDX-License-Identifier: Apache-2.0 */
/* event_text.c - see event_text.h. */
#include "render/event_text.h"
#include "render/event_fields.h"
#include "render/json.h"

#include <inttypes.h>
#include <string.h>

enum { CHAIN = 3 };

static void put_bytes(FILE *f, const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		uint32_t x;
		unsigned length = utf8_length(s + i, n - i, &x);

		if (!length || x < 0x20 || (x >= 0x7f && x < 0xa0) || x == 0x2028 || x == 0x2029)
			putc_unlocked('?', f);
		else
			fwrite_unlocked(s + i, 1, length, f);
		i += length ? length : 1;
	}
}

static void put_name(FILE *f, const char *s)
{
	put_bytes(f, s, strlen(s));
}

/* example.com/mod/pkg.(*T).F is pkg.(*T).F: a path ends at the last slash before a bracket of type
 * arguments. */
static const char *without_path(const char *func)
{
	const char *stop = func + strcspn(func, "[("), *name = func;

	for (const char *p = func; p < stop; p++)
		if (*p == '/')
			name = p + 1;
	return name;
}

static void put_chain(const struct event_text *t, const char *key, uint32_t number)
{
	unsigned n;
	const struct frame *frames = t->stacks.frames(t->stacks.self, number, &n);

	if (!n)
		return;
	fprintf(t->f, " %s=", key);
	for (unsigned i = 0; i < n && i < CHAIN; i++) {
		if (i)
			putc_unlocked('<', t->f);
		put_name(t->f, without_path(frames[i].func));
	}
	if (n > CHAIN)
		fprintf(t->f, "<+%u", n - CHAIN);
}

static void put_frames(const struct event_text *t, const char *key, uint32_t number)
{
	unsigned n;
	const struct frame *frames = t->stacks.frames(t->stacks.self, number, &n);

	for (unsigned i = 0; i < n; i++) {
		fprintf(t->f, "%48s  ", i ? "" : key);
		put_name(t->f, frames[i].func);
		fputs("  ", t->f);
		put_name(t->f, frames[i].file);
		fprintf(t->f, ":%" PRIu32 "\n", frames[i].line);
	}
}

static void put_field(const struct event_text *t, const struct event *ev,
		      const struct event_field *field)
{
	uint64_t x = field->kind == FIELD_NUMBER || field->kind == FIELD_NUMBER_OR_NONE
			     ? event_field_number(ev, field)
			     : 0;

	switch ((enum event_field_kind)field->kind) {
	case FIELD_NUMBER_OR_NONE:
		if (x == UINT64_MAX)
			return;
		/* fall through */
	case FIELD_NUMBER:
		fprintf(t->f, " %s=%" PRIu64, field->key, x);
		return;
	case FIELD_STATUS:
		fprintf(t->f, " %s=%s", field->key, event_status_name(ev));
		return;
	case FIELD_STRING:
		fprintf(t->f, " %s=\"", field->key);
		put_bytes(t->f, event_field_string(ev, field).s, event_field_string(ev, field).n);
		putc_unlocked('"', t->f);
		return;
	case FIELD_STACK:
		put_chain(t, field->key, (uint32_t)event_field_number(ev, field));
		return;
	}
}

static void put_id(FILE *f, int width, uint64_t x, bool is_none)
{
	if (is_none)
		fprintf(f, " %*s", width, "-");
	else
		fprintf(f, " %*" PRIu64, width, x);
}

void event_text_header(const struct event_text *t)
{
	fprintf(t->f, "%14s %9s %4s %8s  %s\n", "TIME", "M", "P", "G", "EVENT");
}

void event_text(const struct event_text *t, const struct event *ev)
{
	uint64_t ns = ev->ts_ns - t->start_ns;
	unsigned n;
	const struct event_field *f = event_fields(ev->type, &n);

	fprintf(t->f, "%4" PRIu64 ".%09" PRIu64, ns / 1000000000, ns % 1000000000);
	put_id(t->f, 9, ev->m, ev->m == EVENT_NO_M);
	put_id(t->f, 4, (uint64_t)ev->p, ev->p == EVENT_NO_P);
	put_id(t->f, 8, ev->g, !ev->g);
	fprintf(t->f, "  %-*s", n ? 19 : 0, event_name(ev->type));
	for (unsigned i = 0; i < n; i++)
		put_field(t, ev, &f[i]);
	putc_unlocked('\n', t->f);
	for (unsigned i = 0; i < n && t->with_frames; i++)
		if (f[i].kind == FIELD_STACK)
			put_frames(t, f[i].key, (uint32_t)event_field_number(ev, &f[i]));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - writes JSON (RFC 8259) into a FILE: commas, nesting and escaping are its business, keys and values the caller's.
 *
 *	struct json j = json_to(stdout);                       j.is_pretty = true; for indented lines
 *	json_object(&j);                                        {
 *	json_key_u64(&j, "time_ns", 17);                        "time_ns":17
 *	json_key_str(&j, "event", ev->name);                    ,"event":"GoBlock"
 *	json_key(&j, "stack"), json_array(&j);                  ,"stack":[
 *	json_cstr(&j, "main.main");                             "main.main"
 *	json_array_end(&j);                                     ]
 *	json_object_end(&j), json_line(&j);                     } and a newline
 *
 * What is opened is closed, an object holds a key before each value: asserted. Errors of the FILE stay in it (ferror): ask once,
 * at the end. Nothing is allocated. The stream is written with the _unlocked functions: one thread.
 *
 * Strings are bytes of a target that may be hostile. The output is valid UTF-8 and steers no terminal: control characters (C0,
 * DEL, C1), quote, backslash and the line separators of JavaScript are escaped, a byte that is not UTF-8 becomes \ufffd.
 * Integers are written whole; who reads them as doubles (JavaScript, older jq) loses digits above 2^53.
 */
#ifndef RENDER_JSON_H
#define RENDER_JSON_H

#include "gotrace/event.h"

#include <stdio.h>

struct json {
	FILE *f;
	bool is_pretty;
	unsigned depth;
	uint64_t in_object;    /* bit per level: an object, else an array; 63 levels */
	bool has_value;        /* something stands before in this object or array: a comma is due */
	bool has_key;          /* the value of it is due */
};

static inline struct json json_to(FILE *f)
{
	return (struct json){ .f = f };
}

void json_object(struct json *j);
void json_object_end(struct json *j);
void json_array(struct json *j);
void json_array_end(struct json *j);
void json_line(struct json *j);                      /* a newline, between or after values of the top */

/* Inside an object, before a value. */
void json_key(struct json *j, const char *key);

void json_str(struct json *j, struct str s);         /* any bytes */
void json_cstr(struct json *j, const char *s);       /* NULL: null */
void json_u64(struct json *j, uint64_t x);
void json_i64(struct json *j, int64_t x);
void json_double(struct json *j, double x);          /* shortest that reads back the same; not finite: null */
void json_bool(struct json *j, bool x);
void json_null(struct json *j);

/* A key and its value. */
void json_key_str(struct json *j, const char *key, struct str s);
void json_key_cstr(struct json *j, const char *key, const char *s);
void json_key_u64(struct json *j, const char *key, uint64_t x);
void json_key_i64(struct json *j, const char *key, int64_t x);
void json_key_double(struct json *j, const char *key, double x);
void json_key_bool(struct json *j, const char *key, bool x);
void json_key_null(struct json *j, const char *key);

/*
 * Length of the UTF-8 character that s begins with (n bytes are there), 0: it is none (also surrogates and forms that are too
 * long). *ret is its code point.
 */
unsigned utf8_length(const char *s, size_t n, uint32_t *ret);

#endif

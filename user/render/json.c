/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - see json.h. */
#include "render/json.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void put(struct json *j, const char *s, size_t n)
{
	fwrite_unlocked(s, 1, n, j->f);
}

static void put_byte(struct json *j, char c)
{
	putc_unlocked(c, j->f);
}

/* ------------------------------------------------------------------------------- nesting */

static void indent(struct json *j)
{
	if (!j->is_pretty || !j->depth)
		return;
	put_byte(j, '\n');
	for (unsigned i = 0; i < j->depth; i++)
		put_byte(j, '\t');
}

static bool is_in_object(const struct json *j)
{
	return j->in_object >> j->depth & 1;
}

/* What stands between the value before and this one. */
static void before_value(struct json *j)
{
	if (j->has_key) {
		j->has_key = false;
		return;
	}
	assert(!is_in_object(j));
	if (j->has_value && j->depth)
		put_byte(j, ',');
	indent(j);
}

static void open_level(struct json *j, char bracket, bool is_object)
{
	before_value(j);
	put_byte(j, bracket);
	j->depth++;
	assert(j->depth < 64);
	j->in_object = (j->in_object & ~(1ull << j->depth)) | (uint64_t)is_object << j->depth;
	j->has_value = false;
}

static void close_level(struct json *j, char bracket, bool is_object)
{
	bool is_empty = !j->has_value;

	assert(j->depth && is_in_object(j) == is_object && !j->has_key);
	j->depth--;
	if (!is_empty && j->is_pretty) {
		put_byte(j, '\n');
		for (unsigned i = 0; i < j->depth; i++)
			put_byte(j, '\t');
	}
	put_byte(j, bracket);
	j->has_value = true;
}

void json_object(struct json *j)
{
	open_level(j, '{', true);
}

void json_object_end(struct json *j)
{
	close_level(j, '}', true);
}

void json_array(struct json *j)
{
	open_level(j, '[', false);
}

void json_array_end(struct json *j)
{
	close_level(j, ']', false);
}

void json_line(struct json *j)
{
	assert(!j->depth);
	put_byte(j, '\n');
	j->has_value = false;
}

/* ------------------------------------------------------------------------------- strings */

unsigned utf8_length(const char *s, size_t n, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint8_t c = (uint8_t)*s;
	unsigned length = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;

	if (!length || length > n)
		return 0;
	uint32_t x = length == 1 ? c : c & (0x7fu >> length);

	for (unsigned i = 1; i < length; i++) {
		if (((uint8_t)s[i] & 0xc0) != 0x80)
			return 0;
		x = x << 6 | ((uint8_t)s[i] & 0x3f);
	}
	if (x < least[length] || x > 0x10ffff || (x >= 0xd800 && x < 0xe000))
		return 0;
	*ret = x;
	return length;
}

static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static bool is_escaped(uint32_t x)
{
	return x < 0x20 || (x >= 0x7f && x < 0xa0) || x == '"' || x == '\\' || x == 0x2028 ||
	       x == 0x2029;
}

static void put_escaped(struct json *j, uint32_t x)
{
	static const char shorts[128] = {
		['"'] = '"', ['\\'] = '\\', ['\n'] = 'n', ['\t'] = 't', ['\r'] = 'r'
	};
	static const char hex[] = "0123456789abcdef";

	if (x < 128 && shorts[x]) {
		put(j, (char[]){ '\\', shorts[x] }, 2);
		return;
	}
	put(j,
	    (char[]){ '\\', 'u', hex[x >> 12 & 15], hex[x >> 8 & 15], hex[x >> 4 & 15],
		      hex[x & 15] },
	    6);
}

static void put_string(struct json *j, const char *s, size_t n)
{
	put_byte(j, '"');
	for (size_t i = 0; i < n;) {
		size_t plain = i;
		uint32_t x = 0xfffd;

		while (plain < n && is_plain((uint8_t)s[plain]))
			plain++;
		put(j, s + i, plain - i);
		i = plain;
		if (i == n)
			break;
		unsigned length = utf8_length(s + i, n - i, &x);

		if (!length || is_escaped(x))
			put_escaped(j, x);
		else
			put(j, s + i, length);
		i += length ? length : 1;
	}
	put_byte(j, '"');
}

void json_key(struct json *j, const char *key)
{
	assert(is_in_object(j) && !j->has_key);
	if (j->has_value)
		put_byte(j, ',');
	indent(j);
	put_string(j, key, strlen(key));
	put_byte(j, ':');
	if (j->is_pretty)
		put_byte(j, ' ');
	j->has_key = true;
}

/* ------------------------------------------------------------------------------- values */

static void raw(struct json *j, const char *s, size_t n)
{
	before_value(j);
	put(j, s, n);
	j->has_value = true;
}

void json_str(struct json *j, struct str s)
{
	before_value(j);
	put_string(j, s.s, s.n);
	j->has_value = true;
}

void json_cstr(struct json *j, const char *s)
{
	if (s)
		json_str(j, (struct str){ s, (uint32_t)strlen(s) });
	else
		json_null(j);
}

static void integer(struct json *j, uint64_t x, bool is_negative)
{
	char digits[24], *p = digits + sizeof(digits);

	do
		*--p = (char)('0' + x % 10);
	while (x /= 10);
	if (is_negative)
		*--p = '-';
	raw(j, p, (size_t)(digits + sizeof(digits) - p));
}

void json_u64(struct json *j, uint64_t x)
{
	integer(j, x, false);
}

void json_i64(struct json *j, int64_t x)
{
	integer(j, x < 0 ? -(uint64_t)x : (uint64_t)x, x < 0);
}

void json_double(struct json *j, double x)
{
	char text[32];

	if (!isfinite(x)) {
		json_null(j);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, x);
		if (strtod(text, NULL) == x)
			break;
	}
	raw(j, text, strlen(text));
}

void json_bool(struct json *j, bool x)
{
	raw(j, x ? "true" : "false", x ? 4 : 5);
}

void json_null(struct json *j)
{
	raw(j, "null", 4);
}

void json_key_str(struct json *j, const char *key, struct str s)
{
	json_key(j, key);
	json_str(j, s);
}

void json_key_cstr(struct json *j, const char *key, const char *s)
{
	json_key(j, key);
	json_cstr(j, s);
}

void json_key_u64(struct json *j, const char *key, uint64_t x)
{
	json_key(j, key);
	json_u64(j, x);
}

void json_key_i64(struct json *j, const char *key, int64_t x)
{
	json_key(j, key);
	json_i64(j, x);
}

void json_key_double(struct json *j, const char *key, double x)
{
	json_key(j, key);
	json_double(j, x);
}

void json_key_bool(struct json *j, const char *key, bool x)
{
	json_key(j, key);
	json_bool(j, x);
}

void json_key_null(struct json *j, const char *key)
{
	json_key(j, key);
	json_null(j);
}

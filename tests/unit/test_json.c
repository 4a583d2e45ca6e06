/* SPDX-License-Identifier: Apache-2.0 */
/* test_json.c - what the JSON writer writes is JSON, whatever bytes the strings hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "render/json.h"

struct out {
	char *text;
	size_t n;
	struct json j;
};

static struct json *begin(struct out *o)
{
	o->j = json_to(open_memstream(&o->text, &o->n));
	return &o->j;
}

static void expect(struct out *o, const char *wanted)
{
	fclose(o->j.f);
	assert_string_equal(o->text, wanted);
	free(o->text);
}

static void values_are_separated_at_every_level(void **state)
{
	struct out o;
	struct json *j = begin(&o);

	json_object(j);
	json_key_u64(j, "a", 1);
	json_key(j, "b");
	json_array(j);
	json_object(j);
	json_object_end(j);
	json_array(j);
	json_array_end(j);
	json_bool(j, true);
	json_array_end(j);
	json_key_null(j, "c");
	json_key_bool(j, "d", false);
	json_object_end(j);
	json_line(j);
	json_array(j);
	json_i64(j, -5);
	json_cstr(j, NULL);
	json_array_end(j);
	json_line(j);
	expect(&o, "{\"a\":1,\"b\":[{},[],true],\"c\":null,\"d\":false}\n[-5,null]\n");
}

static void pretty_is_indented_and_leaves_empty_ones_alone(void **state)
{
	struct out o;
	struct json *j = begin(&o);

	j->is_pretty = true;
	json_object(j);
	json_key(j, "a");
	json_array(j);
	json_array_end(j);
	json_key(j, "b");
	json_array(j);
	json_u64(j, 1);
	json_u64(j, 2);
	json_array_end(j);
	json_object_end(j);
	json_line(j);
	expect(&o, "{\n\t\"a\": [],\n\t\"b\": [\n\t\t1,\n\t\t2\n\t]\n}\n");
}

static void numbers_keep_every_digit(void **state)
{
	struct out o;
	struct json *j = begin(&o);

	json_array(j);
	json_u64(j, UINT64_MAX);
	json_i64(j, INT64_MIN);
	json_double(j, 0.1);
	json_double(j, 1.0 / 3);
	json_double(j, -2);
	json_double(j, NAN);
	json_double(j, INFINITY);
	json_array_end(j);
	expect(&o,
	       "[18446744073709551615,-9223372036854775808,0.1,0.3333333333333333,-2,null,null]");
}

static void strings_hold_any_bytes(void **state)
{
	static const struct {
		const char *bytes;
		uint32_t n;
		const char *json;
	} cases[] = {
		{ "", 0, "\"\"" },
		{ "a\"\\\n\t\r", 6, "\"a\\\"\\\\\\n\\t\\r\"" },
		{ "\0\x1b[31m\x7f", 7, "\"\\u0000\\u001b[31m\\u007f\"" },
		{ "\xc2\x9b", 2, "\"\\u009b\"" }, /* C1: a terminal's CSI */
		{ "\xe2\x80\xa8\xe2\x80\xa9", 6, "\"\\u2028\\u2029\"" },
		{ "h\xc3\xa9 \xe4\xb8\x96 \xf0\x9f\x90\xb9", 12,
		  "\"h\xc3\xa9 \xe4\xb8\x96 \xf0\x9f\x90\xb9\"" },
		{ "\xff\xc3", 2, "\"\\ufffd\\ufffd\"" },            /* no lead byte; cut off */
		{ "\xc0\xaf", 2, "\"\\ufffd\\ufffd\"" },            /* too long a form of '/' */
		{ "\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\"" }, /* a surrogate */
		{ "\xf4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" }, /* above U+10FFFF */
		{ "\xe4\xb8q", 3, "\"\\ufffd\\ufffdq\"" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct out o;

		json_str(begin(&o), (struct str){ cases[i].bytes, cases[i].n });
		expect(&o, cases[i].json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_separated_at_every_level),
		cmocka_unit_test(pretty_is_indented_and_leaves_empty_ones_alone),
		cmocka_unit_test(numbers_keep_every_digit),
		cmocka_unit_test(strings_hold_any_bytes),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - see text.h. */
#include "render/text.h"
#include "base/base.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *text_time(char out[16], uint64_t ns)
{
	static const struct {
		double limit, divisor;
		const char *unit;
	} units[] = {
		{ 1e3, 1, "ns" }, { 1e6, 1e3, "us" }, { 1e9, 1e6, "ms" }, { 1e30, 1e9, "s" }
	};
	size_t i = 0;

	while ((double)ns >= units[i].limit)
		i++;
	double x = (double)ns / units[i].divisor;

	snprintf(out, 16,
		 i == 0 || x >= 1000 ? "%.0f %s"
		 : x < 10            ? "%.2f %s"
				     : "%.1f %s",
		 x, units[i].unit);
	return out;
}

const char *text_count(char out[32], uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n), k = 0;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[k++] = ',';
		out[k++] = digits[i];
	}
	out[k] = 0;
	return out;
}

const char *text_bytes(char out[16], uint64_t n)
{
	snprintf(out, 16, n < 10000000000 ? "%.1f MB" : "%.1f GB",
		 (double)n / (n < 10000000000 ? 1e6 : 1e9));
	return out;
}

const char *text_percent(char out[16], uint64_t part, uint64_t whole)
{
	double x = whole ? 100.0 * (double)part / (double)whole : 0;

	if (!whole)
		snprintf(out, 16, "-");
	else
		snprintf(out, 16, x > 0 && x < 9.95 ? "%.1f %%" : "%.0f %%", x);
	return out;
}

const char *text_name(char *out, size_t columns, const char *name)
{
	size_t n = strlen(name), k = 0;

	if (!n)
		name = "(not known)", n = strlen(name);
	const char *from = n > columns ? name + n - columns + 2 : name;

	if (n > columns)
		out[k++] = '.', out[k++] = '.';
	for (; *from && k < columns; from++)
		out[k++] = printable(*from);
	out[k] = 0;
	return out;
}

const char *text_head(char *out, size_t columns, const char *text)
{
	size_t k = 0;

	for (; text[k] && k < columns; k++)
		out[k] = printable(text[k]);
	out[k] = 0;
	return out;
}

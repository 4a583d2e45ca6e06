/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.h - numbers and names as a screen shows them: short, aligned, and nothing of a target can steer the terminal.
 *
 * The macros give a string that lives as long as the block they stand in.
 */
#ifndef RENDER_TEXT_H
#define RENDER_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define TIME(ns) text_time((char[16]){ 0 }, (ns))              /* "812 ns", "3.21 us", "45.0 ms", "12.3 s" */
#define COUNT(n) text_count((char[32]){ 0 }, (n))              /* "1,234,567" */
#define BYTES(n) text_bytes((char[16]){ 0 }, (n))              /* "12.3 MB" */
#define PERCENT(part, whole) text_percent((char[16]){ 0 }, (part), (whole)) /* "12 %", "0.3 %"; "-" of nothing */
#define NAME(name, columns) text_name((char[(columns) + 1]){ 0 }, (columns), (name))
#define HEAD(text, columns) text_head((char[(columns) + 1]){ 0 }, (columns), (text)) /* the first columns of it */

const char *text_time(char out[16], uint64_t ns);
const char *text_count(char out[32], uint64_t n);
const char *text_bytes(char out[16], uint64_t n);
const char *text_percent(char out[16], uint64_t part, uint64_t whole);
/* Long names lose their front, where the path is; "" is "(not known)". out has columns + 1 bytes. */
const char *text_name(char *out, size_t columns, const char *name);

const char *text_head(char *out, size_t columns, const char *text);

#endif

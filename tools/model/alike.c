/* SPDX-License-Identifier: MIT */
/* alike.c - see alike.h. What is shared is whole characters and whole numbers. */
#include "alike.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_inside_character(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

size_t alike_begin(const char *a, const char *b, size_t n)
{
	size_t i = 0;

	while (i < n && a[i] && a[i] == b[i])
		i++;
	return i;
}

size_t alike_end(const char *a, const char *b, size_t n)
{
	size_t x = strlen(a), y = strlen(b), i = 0;

	while (i < n && i < x && i < y && a[x - 1 - i] == b[y - 1 - i])
		i++;
	return i;
}

/* Back to where a character and a number begins. */
static size_t begin_trim(const char *name, size_t begin)
{
	while (begin > 0 &&
	       (is_inside_character(name[begin]) || isdigit((unsigned char)name[begin - 1])))
		begin--;
	return begin;
}

/* On to where a word ends; never into the beginning. */
static const char *end_trim(const char *name, size_t begin, size_t end)
{
	size_t length = strlen(name);
	const char *at = name + (end < length - begin ? length - end : begin);

	while (*at && (is_inside_character(*at) || isalnum((unsigned char)*at)))
		at++;
	return at;
}

/* Numbers of pipes say nothing; "/" and "unix " are the beginning of everything. */
static bool says_something(const char *name, size_t begin)
{
	bool has_part = name[0] == '/', has_more = false;

	if (!strncmp(name, "pipe:[", 6) || name[0] == '[')
		return false;
	for (size_t i = 0; i < begin; i++) {
		has_part |= name[i] == '/' || name[i] == ':';
		has_more |= name[i] != '/' && name[i] != ' ';
	}
	return has_part && has_more;
}

void alike_put(char *buf, size_t bytes, size_t n, const char *kind, const char *name, size_t begin,
	       size_t end)
{
	size_t length = strlen(kind);
	bool is_y = length && kind[length - 1] == 'y';
	int at = snprintf(buf, bytes, "%zu %.*s%s", n, (int)(length - is_y), kind,
			  is_y ? "ies" : "s");

	if (at < 0 || (size_t)at >= bytes || !name || !says_something(name, strlen(name)))
		return;
	begin = begin_trim(name, begin < strlen(name) ? begin : strlen(name));
	if (says_something(name, begin))
		snprintf(buf + at, bytes - (size_t)at, ": %.*s*%s", (int)begin, name,
			 end_trim(name, begin, end));
	else
		snprintf(buf + at, bytes - (size_t)at, ": %s, ...", name);
}

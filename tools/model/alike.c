/* SPDX-License-Identifier: MIT */
/* alike.c - see alike.h. */
#include "alike.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

size_t alike_bytes(const char *a, const char *b, size_t n)
{
	size_t i = 0;

	while (i < n && a[i] && a[i] == b[i])
		i++;
	/* Not within a character of several bytes. */
	while (i > 0 && ((unsigned char)a[i] & 0xc0) == 0x80)
		i--;
	return i;
}

/* Numbers of pipes say nothing; "/" and "unix " are the beginning of everything. */
static bool says_something(const char *name, size_t same)
{
	bool has_part = name[0] == '/', has_more = false;

	if (!strncmp(name, "pipe:[", 6) || name[0] == '[')
		return false;
	for (size_t i = 0; i < same; i++) {
		has_part |= name[i] == '/' || name[i] == ':';
		has_more |= name[i] != '/' && name[i] != ' ';
	}
	return has_part && has_more;
}

void alike_put(char *buf, size_t bytes, size_t n, const char *kind, const char *name, size_t same)
{
	size_t length = strlen(kind);
	bool is_y = length && kind[length - 1] == 'y';
	int at = snprintf(buf, bytes, "%zu %.*s%s", n, (int)(length - is_y), kind,
			  is_y ? "ies" : "s");

	if (at < 0 || (size_t)at >= bytes || !name || !says_something(name, strlen(name)))
		return;
	if (says_something(name, same))
		snprintf(buf + at, bytes - (size_t)at, ": %.*s*", (int)same, name);
	else
		snprintf(buf + at, bytes - (size_t)at, ": %s, ...", name);
}

/* SPDX-License-Identifier: MIT */
/*
 * json.h - a writer of JSON, one value a line. It puts the commas, and escapes text so that
 * whatever a process calls itself comes out as valid JSON: bytes that are not UTF-8 become
 * U+FFFD.
 *
 *	json_open(&j, NULL, '{');
 *	json_uint(&j, "pid", 4711);
 *	json_close(&j);                 {"pid":4711}
 *
 * key is NULL for the outermost value and inside arrays. Knows nothing of what it writes: every
 * room of tools/ may use it.
 */
#ifndef GOTRACE_JSON_H
#define GOTRACE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH 16

struct json {
	FILE *out;
	unsigned depth;
	bool has_member[JSON_DEPTH];
	char closer[JSON_DEPTH];
};

void json_init(struct json *j, FILE *out);
void json_open(struct json *j, const char *key, char bracket); /* '{' or '[' */
void json_close(struct json *j);                               /* the outermost one ends the line */
void json_text(struct json *j, const char *key, const char *text); /* NULL: null */
void json_uint(struct json *j, const char *key, uint64_t v);
void json_int(struct json *j, const char *key, int64_t v);
void json_bool(struct json *j, const char *key, bool v);
void json_null(struct json *j, const char *key);

#endif

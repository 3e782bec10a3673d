/* SPDX-License-Identifier: MIT */
/* json.c - see json.h. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "json.h"

/* Length of the UTF-8 sequence at s, 0 if it is none: overlong forms and surrogates are refused. */
static int utf8_length(const unsigned char *s)
{
	static const struct {
		unsigned char first, last, low, high; /* lead byte; range of the byte after it */
		int length;
	} form[] = {
		{ 0x00, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < sizeof(form) / sizeof(form[0]); i++) {
		if (s[0] < form[i].first || s[0] > form[i].last)
			continue;
		if (form[i].length > 1 && (s[1] < form[i].low || s[1] > form[i].high))
			return 0;
		for (int k = 2; k < form[i].length; k++)
			if ((s[k] & 0xc0) != 0x80)
				return 0;
		return form[i].length;
	}
	return 0;
}

static void put_string(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	fputc('"', out);
	while (*s) {
		int n = utf8_length(s);

		if (n == 0)
			fputs("\\ufffd", out);
		else if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(out, "\\u%04x", *s);
		else
			fwrite(s, 1, (size_t)n, out);
		s += n ? n : 1;
	}
	fputc('"', out);
}

static void put_key(struct json *j, const char *key)
{
	if (j->depth > 0) {
		if (j->has_member[j->depth - 1])
			fputc(',', j->out);
		j->has_member[j->depth - 1] = true;
	}
	if (key) {
		put_string(j->out, key);
		fputc(':', j->out);
	}
}

void json_init(struct json *j, FILE *out)
{
	memset(j, 0, sizeof(*j));
	j->out = out;
}

void json_open(struct json *j, const char *key, char bracket)
{
	assert(j->depth < JSON_DEPTH);
	put_key(j, key);
	fputc(bracket, j->out);
	j->has_member[j->depth] = false;
	j->closer[j->depth++] = bracket == '{' ? '}' : ']';
}

void json_close(struct json *j)
{
	assert(j->depth > 0);
	fputc(j->closer[--j->depth], j->out);
	if (j->depth == 0)
		fputc('\n', j->out);
}

void json_text(struct json *j, const char *key, const char *text)
{
	if (!text) {
		json_null(j, key);
		return;
	}
	put_key(j, key);
	put_string(j->out, text);
}

void json_uint(struct json *j, const char *key, uint64_t v)
{
	put_key(j, key);
	fprintf(j->out, "%" PRIu64, v);
}

void json_int(struct json *j, const char *key, int64_t v)
{
	put_key(j, key);
	fprintf(j->out, "%" PRId64, v);
}

void json_bool(struct json *j, const char *key, bool v)
{
	put_key(j, key);
	fputs(v ? "true" : "false", j->out);
}

void json_null(struct json *j, const char *key)
{
	put_key(j, key);
	fputs("null", j->out);
}

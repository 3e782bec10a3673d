/* SPDX-License-Identifier: MIT */
/*
 * diag.c - see diag.h. What a message says may come from the target (its name, its paths), so
 * control characters are shown as \xNN: nothing of it may reach the terminal as a command.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "diag.h"
#include "json.h"

#define DIAG_BYTES 4096 /* longest message; the rest is cut */

static bool is_json, is_quiet;

void diag_json(bool on)
{
	is_json = on;
}

void diag_quiet(bool on)
{
	is_quiet = on;
}

static __thread char *captured;
static __thread size_t captured_bytes;

void diag_capture(char *buf, size_t bytes)
{
	captured = buf;
	captured_bytes = bytes;
}

/* One write(2) a line, so that lines of two processes on one terminal don't mix. */
static void put_text(const char *prefix, const char *text)
{
	char line[DIAG_BYTES * 4 + 64];
	size_t n = (size_t)snprintf(line, sizeof(line), "%s: ", prefix);

	for (const unsigned char *s = (const unsigned char *)text; *s; s++) {
		if (*s < 0x20 || *s == 0x7f)
			n += (size_t)snprintf(line + n, sizeof(line) - n, "\\x%02x", *s);
		else
			line[n++] = (char)*s;
	}
	line[n++] = '\n';
	fwrite(line, 1, n, stderr);
	fflush(stderr);
}

static void put(const char *prefix, const char *key, int code, const char *fmt, va_list ap)
{
	char text[DIAG_BYTES];
	struct json j;

	if (is_quiet)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	if (captured) {
		if (!captured[0])
			snprintf(captured, captured_bytes, "%s", text);
		return;
	}
	fflush(stdout);
	if (!is_json) {
		put_text(prefix, text);
		return;
	}
	json_init(&j, stderr);
	json_open(&j, NULL, '{');
	json_text(&j, key, text);
	if (code >= 0)
		json_int(&j, "code", code);
	json_close(&j);
	fflush(stderr);
}

int diag_error(enum exit_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put("gotrace", "error", (int)code, fmt, ap);
	va_end(ap);
	return (int)code;
}

void diag_hint(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put("hint", "hint", -1, fmt, ap);
	va_end(ap);
}

void diag_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put("gotrace: warning", "warning", -1, fmt, ap);
	va_end(ap);
}

static bool starts_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

/* A column a character: what a terminal would take for a command, and tabs, are shown as "?". */
static void point_text(const char *text, size_t at, size_t bytes)
{
	char line[DIAG_BYTES], mark[DIAG_BYTES];
	size_t n = 0, columns = 0, i = 0;

	for (; text[i] && n < sizeof(line) - 1; i++) {
		unsigned char c = (unsigned char)text[i];

		line[n++] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
		if (!starts_character(text[i]))
			continue;
		if (i < at)
			mark[columns++] = ' ';
		else if (i == at || i < at + bytes)
			mark[columns++] = i == at ? '^' : '~';
	}
	if (at >= i && columns < sizeof(mark) - 1)
		mark[columns++] = '^';
	line[n] = mark[columns] = '\0';
	fprintf(stderr, "  %s\n  %s\n", line, mark);
}

void diag_point(const char *text, size_t at, size_t bytes)
{
	struct json j;

	if (is_quiet || captured)
		return;
	if (!is_json) {
		point_text(text, at, bytes);
		return;
	}
	json_init(&j, stderr);
	json_open(&j, NULL, '{');
	json_text(&j, "text", text);
	json_uint(&j, "at", at);
	json_uint(&j, "bytes", bytes);
	json_close(&j);
}

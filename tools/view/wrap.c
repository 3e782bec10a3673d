/* SPDX-License-Identifier: MIT */
/* wrap.c - see wrap.h. */
#include "wrap.h"

#include <string.h>

#define WORD_BYTES 4096

/* On the screen: bytes that continue a UTF-8 character take no room. */
static unsigned int width_of(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* Returns what follows the word. */
static const char *word_copy(char word[WORD_BYTES], const char *text)
{
	size_t n = 0;

	for (; *text && *text != ' '; text++) {
		unsigned char c = (unsigned char)*text;

		if (n + 5 > WORD_BYTES)
			continue;
		if (c < 0x20 || c == 0x7f)
			n += (size_t)snprintf(word + n, 5, "\\x%02x", c);
		else
			word[n++] = (char)c;
	}
	word[n] = '\0';
	return text + strspn(text, " ");
}

void wrap_put(FILE *out, const char *text, unsigned int indent, unsigned int columns)
{
	unsigned int at = indent, start = indent;
	char word[WORD_BYTES];

	fprintf(out, "%*s", (int)indent, "");
	while (*text) {
		unsigned int width;

		text = word_copy(word, text);
		width = width_of(word);
		if (at > start && at + 1 + width > columns) {
			start = at = indent + 2;
			fprintf(out, "\n%*s", (int)at, "");
		} else if (at > start) {
			fputc(' ', out);
			at++;
		}
		fputs(word, out);
		at += width;
	}
	fputc('\n', out);
}

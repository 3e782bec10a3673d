/* SPDX-License-Identifier: MIT */
/* fmt.c - see fmt.h. */
#include <inttypes.h>
#include <string.h>

#include "fmt.h"

#define US 1000ull
#define MS (1000 * US)
#define SEC (1000 * MS)
#define MINUTE (60 * SEC)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* A unit below ten has one decimal, cut, not rounded: 9.99 is 9.9, and never 10.0. */
static char *with_unit(char buf[FMT_BYTES], uint64_t v, uint64_t unit, const char *name)
{
	if (v < 10 * unit)
		snprintf(buf, FMT_BYTES, "%" PRIu64 ".%" PRIu64 "%s", v / unit,
			 v % unit * 10 / unit, name);
	else
		snprintf(buf, FMT_BYTES, "%" PRIu64 "%s", v / unit, name);
	return buf;
}

char *fmt_count(char buf[FMT_BYTES], uint64_t n)
{
	static const char *const name[] = { "k", "M", "G", "T" };
	uint64_t unit = 1000;
	int i = 0;

	if (n < 10000) {
		snprintf(buf, FMT_BYTES, "%" PRIu64, n);
		return buf;
	}
	while (i < 3 && n / unit >= 1000) {
		unit *= 1000;
		i++;
	}
	return with_unit(buf, n, unit, name[i]);
}

static char *with_two(char buf[FMT_BYTES], uint64_t ns, uint64_t big, char big_name, uint64_t small,
		      char small_name)
{
	snprintf(buf, FMT_BYTES, "%" PRIu64 "%c%02" PRIu64 "%c", ns / big, big_name,
		 ns % big / small, small_name);
	return buf;
}

char *fmt_duration(char buf[FMT_BYTES], uint64_t ns)
{
	if (ns < US) {
		snprintf(buf, FMT_BYTES, "%" PRIu64 "ns", ns);
		return buf;
	}
	if (ns < MS)
		return with_unit(buf, ns, US, "us");
	if (ns < SEC)
		return with_unit(buf, ns, MS, "ms");
	if (ns < MINUTE)
		return with_unit(buf, ns, SEC, "s");
	if (ns < HOUR)
		return with_two(buf, ns, MINUTE, 'm', SEC, 's');
	if (ns < DAY)
		return with_two(buf, ns, HOUR, 'h', MINUTE, 'm');
	return with_two(buf, ns, DAY, 'd', HOUR, 'h');
}

char *fmt_rate(char buf[FMT_BYTES], uint64_t n, uint64_t ns)
{
	double per_s = ns ? (double)n * (double)SEC / (double)ns : 0;

	if (n == 0 || per_s >= 0.95)
		return fmt_count(buf, (uint64_t)(per_s + 0.5));
	snprintf(buf, FMT_BYTES, "%.1f", per_s < 0.1 ? 0.1 : per_s);
	return buf;
}

void fmt_clean(char *buf, size_t bytes, const char *text, unsigned int columns)
{
	size_t limit = columns < bytes - 1 ? columns : bytes - 1, n = 0;

	for (const unsigned char *s = (const unsigned char *)text; *s; s++) {
		char one[8] = { (char)*s };
		size_t width;

		if (*s < 0x20 || *s == 0x7f)
			snprintf(one, sizeof(one), "\\x%02x", *s);
		width = strlen(one);
		if (n + width > limit) {
			if (limit)
				buf[n < limit ? n : limit - 1] = '~';
			n = n < limit ? n + 1 : limit;
			break;
		}
		memcpy(buf + n, one, width);
		n += width;
	}
	buf[n] = '\0';
}

void fmt_wrapped(FILE *out, const char *text, unsigned int columns)
{
	unsigned int at = 0;

	while (*text) {
		size_t word = strcspn(text, " ");

		if (at && at + 1 + word > columns) {
			fputs("\n  ", out);
			at = 2;
		} else if (at) {
			fputc(' ', out);
			at++;
		}
		fwrite(text, 1, word, out);
		at += (unsigned int)word;
		text += word;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

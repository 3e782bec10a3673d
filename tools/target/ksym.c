/* SPDX-License-Identifier: MIT */
/*
 * ksym.c - see ksym.h. The text is read as a whole and cut up in place; only functions are kept.
 * Without the right to addresses the kernel shows all of them as 0.
 */
#include "ksym.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MIN (1u << 20)
#define TEXT_MAX (256u << 20)
#define FUNCTION_MAX (1u << 20) /* bytes: farther behind the last symbol is not inside it */

struct symbol {
	uint64_t addr;
	const char *name;
};

struct ksym {
	char *text;
	struct symbol *symbol;
	size_t n, cap;
};

static char *text_read(const char *path)
{
	size_t cap = TEXT_MIN, n = 0;
	char *text = malloc(cap), *more;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 || !text ? -1 : 1;

	while (got > 0) {
		if (cap - n < 2) {
			more = cap < TEXT_MAX ? realloc(text, cap *= 2) : NULL;
			if (!more) {
				got = -1;
				break;
			}
			text = more;
		}
		got = read(fd, text + n, cap - n - 1);
		if (got < 0 && errno == EINTR)
			got = 1;
		else
			n += got > 0 ? (size_t)got : 0;
	}
	if (fd >= 0)
		close(fd);
	if (got < 0) {
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

static bool add(struct ksym *k, uint64_t addr, const char *name)
{
	if (k->n == k->cap) {
		size_t cap = k->cap ? 2 * k->cap : 1u << 16;
		struct symbol *s = reallocarray(k->symbol, cap, sizeof(*s));

		if (!s)
			return false;
		k->symbol = s;
		k->cap = cap;
	}
	k->symbol[k->n++] = (struct symbol){ addr, name };
	return true;
}

/* "ffffffff81000000 T _text", "ffffffffc0000000 t name\t[module]" */
static bool line_add(struct ksym *k, char *line)
{
	char *at;
	uint64_t addr = strtoull(line, &at, 16);

	if (at == line || addr == 0 || at[0] != ' ' || !at[1] || !strchr("tTwW", at[1]) ||
	    at[2] != ' ')
		return true;
	at += 3;
	at[strcspn(at, "\t ")] = '\0';
	return add(k, addr, at);
}

static int by_addr(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return (x->addr > y->addr) - (x->addr < y->addr);
}

struct ksym *ksym_open(const char *path)
{
	struct ksym *k = calloc(1, sizeof(*k));
	bool ok;

	if (!k)
		return NULL;
	k->text = text_read(path);
	ok = k->text != NULL;
	for (char *line = k->text, *end; ok && *line; line = end) {
		size_t n = strcspn(line, "\n");

		end = line + n + (line[n] != '\0');
		line[n] = '\0';
		ok = line_add(k, line);
	}
	if (!ok || k->n == 0) {
		ksym_close(k);
		return NULL;
	}
	qsort(k->symbol, k->n, sizeof(*k->symbol), by_addr);
	return k;
}

void ksym_close(struct ksym *k)
{
	if (!k)
		return;
	free(k->symbol);
	free(k->text);
	free(k);
}

const char *ksym_name(const struct ksym *k, uint64_t addr)
{
	size_t lo = 0, hi = k->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (k->symbol[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0 || addr - k->symbol[lo - 1].addr >= FUNCTION_MAX)
		return NULL;
	return k->symbol[lo - 1].name;
}

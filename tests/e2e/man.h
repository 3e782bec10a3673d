/* SPDX-License-Identifier: MIT */
/* man.h - the manual pages of the tree, as text. */
#ifndef TESTS_MAN_H
#define TESTS_MAN_H

#include <dirent.h>

#include "shell.h"

#define PAGE_BYTES 65536

static inline char *tree_path(const char *file)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s", getenv("GOTRACE_TREE"), file);
	return path;
}

static inline const char *text_read(const char *file)
{
	static char text[PAGE_BYTES];
	FILE *f = fopen(tree_path(file), "r");

	if (!f)
		fail_msg("there is no %s", file);
	e2e_text(f, text, sizeof(text));
	assert_true(strlen(text) < sizeof(text) - 1);
	return text;
}

/* "" is gotrace's own. */
static inline const char *page_read(const char *verb)
{
	char file[64];

	snprintf(file, sizeof(file), "tools/man/gotrace%s%s.1", *verb ? "-" : "", verb);
	return text_read(file);
}

/* What stands below a heading, until the next one. */
static inline void section_of(const char *page, const char *name, char ret[PAGE_BYTES])
{
	char head[64];
	const char *at, *end;

	snprintf(head, sizeof(head), "\n.Sh %s\n", name);
	at = strstr(page, head);
	if (!at)
		fail_msg("there is no %s in:\n%.300s", name, page);
	at += strlen(head);
	end = strstr(at, "\n.Sh ");
	snprintf(ret, PAGE_BYTES, "%.*s", (int)(end ? end + 1 - at : (long)strlen(at)), at);
}

static inline void help_of(const char *verb, struct outcome *ret)
{
	char *argv[] = { "gotrace", (char *)verb, "--help", NULL };

	gotrace_run(ret, NULL, -1, *verb ? argv : (char *[]){ "gotrace", "--help", NULL });
	assert_code(ret, 0);
}

/* Runs `check` on each page's file name. */
static inline void pages_each(void (*check)(const char *file))
{
	DIR *dir = opendir(tree_path("tools/man"));
	struct dirent *d;
	int n = 0;

	assert_non_null(dir);
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.') {
			check(d->d_name);
			n++;
		}
	closedir(dir);
	assert_true(n >= 10);
}

#endif

/* SPDX-License-Identifier: MIT */
/* cgroups.h - a tree of cgroups that is made of plain files, for tests of who reads one. */
#ifndef TEST_CGROUPS_H
#define TEST_CGROUPS_H

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* For mkdtemp, before the first test. */
static char root[] = "/tmp/cgroups.XXXXXX";

/* A file of that name in a folder of the tree; the folder is made, its parents are there. */
static inline void put(const char *path, const char *name, const char *text)
{
	char file[PATH_MAX];
	FILE *out;

	snprintf(file, sizeof(file), "%s%s", root, path);
	mkdir(file, 0700);
	snprintf(file, sizeof(file), "%s%s/%s", root, path, name);
	out = fopen(file, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static inline int remove_root(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * tree.h - finds a file of the source tree: below $GOTRACE_TREE, else upwards from where we are,
 * else upwards from the test program (builds are below the tree unless O= says otherwise).
 */
#ifndef TEST_TREE_H
#define TEST_TREE_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline bool tree_find_upwards(char *dir, const char *path, char *ret, size_t bytes)
{
	while (dir[0]) {
		int n = snprintf(ret, bytes, "%s/%s", dir, path);

		if (n > 0 && (size_t)n < bytes && access(ret, R_OK) == 0)
			return true;
		*strrchr(dir, '/') = '\0';
	}
	return false;
}

/* path: relative to the top. false: not there. */
static inline bool tree_find(const char *path, char *ret, size_t bytes)
{
	const char *tree = getenv("GOTRACE_TREE");
	char dir[PATH_MAX];
	ssize_t n;

	if (tree) {
		snprintf(ret, bytes, "%s/%s", tree, path);
		return access(ret, R_OK) == 0;
	}
	if (getcwd(dir, sizeof(dir)) && tree_find_upwards(dir, path, ret, bytes))
		return true;
	n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	if (n <= 0)
		return false;
	dir[n] = '\0';
	return tree_find_upwards(dir, path, ret, bytes);
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * procs.c - see procs.h. As in Go since 1.25: a quota counts rounded up and at least 2 (on a
 * machine that has 2), for a quota of one CPU is a share of time, not a wish to run one thing at a
 * time. Unlike Go, which looks at the process's own cgroup, the groups above count too: the kernel
 * enforces them all.
 *
 * Where both versions of cgroups are mounted, the one that has the cpu controller counts: the first
 * version's if there is such a hierarchy.
 */
#include "procs.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#define QUOTA_PROCS_MIN 2
#define LINE_BYTES (4 * PATH_MAX) /* of mountinfo: two paths, a source and options */

/* --- numbers ---------------------------------------------------------------------------------- */

/* A number that is all of the text but for white space behind it. */
static bool number_parse(const char *text, long *ret)
{
	char *end;

	if (!strchr("+-0123456789", text[0]) || text[0] == '\0')
		return false;
	*ret = strtol(text, &end, 10);
	return end != text && end[strspn(end, " \n")] == '\0' && *ret != LONG_MAX;
}

static double quota_of(long quota, long period)
{
	return quota > 0 && period > 0 ? (double)quota / (double)period : 0;
}

double quota_parse_v2(const char *cpu_max)
{
	const char *space = strchr(cpu_max, ' ');
	char first[32];
	long quota, period;

	if (!space || (size_t)(space - cpu_max) >= sizeof(first))
		return 0;
	snprintf(first, sizeof(first), "%.*s", (int)(space - cpu_max), cpu_max);
	/* "max" is no number. */
	if (!number_parse(first, &quota) || !number_parse(space + 1, &period))
		return 0;
	return quota_of(quota, period);
}

double quota_parse_v1(const char *cfs_quota_us, const char *cfs_period_us)
{
	long quota, period;

	/* -1 is no quota. */
	if (!number_parse(cfs_quota_us, &quota) || !number_parse(cfs_period_us, &period))
		return 0;
	return quota_of(quota, period);
}

static double tighter(double a, double b)
{
	if (a <= 0 || b <= 0)
		return a > b ? a : b;
	return a < b ? a : b;
}

/* --- where the process's cgroup is ------------------------------------------------------------ */

struct cgroup {
	bool is_v1;
	char path[PATH_MAX];  /* as of /proc/self/cgroup */
	char root[PATH_MAX];  /* what of the hierarchy is mounted */
	char mount[PATH_MAX]; /* and where */
};

/* Is the word in the list with commas? */
static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (; list; list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL)
		if (strncmp(list, word, n) == 0 && strchr(",\n", list[n]))
			return true;
	return false;
}

/* A path that is too long is no file. */
static FILE *file_open(const char *dir, const char *name)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s%s", dir, name);

	return n >= 0 && n < (int)sizeof(path) ? fopen(path, "re") : NULL;
}

/* "4:cpu,cpuacct:/a/b", or "0::/a/b" of the second version. */
static void cgroup_line(struct cgroup *c, char *line)
{
	char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
	bool is_v1;

	if (!path)
		return;
	*path++ = '\0';
	list++;
	is_v1 = has_word(list, "cpu");
	if (!is_v1 && (*list != '\0' || c->is_v1))
		return;
	c->is_v1 = is_v1;
	snprintf(c->path, sizeof(c->path), "%.*s", (int)strcspn(path, "\n"), path);
}

/* "32 31 0:29 /root /mount rw,relatime shared:4 - cgroup source rw,cpu" */
static void mount_line(struct cgroup *c, const char *line)
{
	const char *tail = strstr(line, " - ");
	char root[PATH_MAX], mount[PATH_MAX], type[16], options[256];

	if (sscanf(line, "%*s %*s %*s %4095s %4095s", root, mount) != 2 || !tail ||
	    sscanf(tail, " - %15s %*s %255s", type, options) != 2)
		return;
	if (c->is_v1 ? strcmp(type, "cgroup") != 0 || !has_word(options, "cpu")
		     : strcmp(type, "cgroup2") != 0)
		return;
	memcpy(c->root, root, sizeof(root));
	memcpy(c->mount, mount, sizeof(mount));
}

static bool has_cgroup(const char *root, struct cgroup *ret)
{
	char line[LINE_BYTES];
	FILE *f = file_open(root, "/proc/self/cgroup");

	ret->path[0] = ret->mount[0] = '\0';
	ret->is_v1 = false;
	while (f && fgets(line, sizeof(line), f))
		cgroup_line(ret, line);
	if (f)
		fclose(f);
	f = file_open(root, "/proc/self/mountinfo");
	while (f && fgets(line, sizeof(line), f))
		mount_line(ret, line);
	if (f)
		fclose(f);
	return ret->path[0] == '/' && ret->mount[0] == '/';
}

/*
 * The path below the mount point, without a slash at its end. A container may see only its own
 * group, mounted as if it were the top, and yet read its full path.
 */
static char *below_mount(struct cgroup *c)
{
	size_t n = strcmp(c->root, "/") == 0 ? 0 : strlen(c->root);
	char *path = c->path;

	if (strncmp(path, c->root, n) == 0 && (path[n] == '/' || path[n] == '\0'))
		path += n;
	if (strcmp(path, "/") == 0)
		path++;
	return path;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The first line; "": there is no such file. */
static void file_read(const char *dir, const char *name, char *ret, int bytes)
{
	FILE *f = file_open(dir, name);

	if (!f || !fgets(ret, bytes, f))
		ret[0] = '\0';
	if (f)
		fclose(f);
}

static double quota_read(const char *dir, bool is_v1)
{
	char a[64], b[64];

	if (!is_v1) {
		file_read(dir, "/cpu.max", a, sizeof(a));
		return quota_parse_v2(a);
	}
	file_read(dir, "/cpu.cfs_quota_us", a, sizeof(a));
	file_read(dir, "/cpu.cfs_period_us", b, sizeof(b));
	return quota_parse_v1(a, b);
}

double procs_quota(const char *root)
{
	char dir[PATH_MAX];
	struct cgroup c;
	double tightest = 0;
	char *path;
	int n;

	if (!has_cgroup(root, &c))
		return 0;
	path = below_mount(&c);
	for (;;) {
		char *slash = strrchr(path, '/');

		n = snprintf(dir, sizeof(dir), "%s%s%s", root, c.mount, path);
		if (n >= 0 && n < (int)sizeof(dir))
			tightest = tighter(tightest, quota_read(dir, c.is_v1));
		if (!slash)
			return tightest;
		*slash = '\0';
	}
}

/* --- choosing --------------------------------------------------------------------------------- */

static unsigned from_affinity(void)
{
	size_t bytes = CPU_ALLOC_SIZE(PROCS_MAX * 8);
	cpu_set_t *set = CPU_ALLOC(PROCS_MAX * 8);
	int n = 0;

	if (set && sched_getaffinity(0, bytes, set) == 0)
		n = CPU_COUNT_S(bytes, set);
	CPU_FREE(set);
	return n > 0 ? (unsigned)n : 1;
}

/* What Go would not take for a number of 32 bits is as if it were not there. */
static unsigned from_environment(const char *text)
{
	long n;

	if (!text || !number_parse(text, &n) || text[strspn(text, "+0123456789")] != '\0')
		return 0;
	if (n <= 0 || n > INT_MAX)
		return 0;
	return n > PROCS_MAX ? PROCS_MAX : (unsigned)n;
}

unsigned procs_choose(const char *gomaxprocs, unsigned cpus, double quota)
{
	unsigned n = from_environment(gomaxprocs), limit;

	if (n != 0)
		return n;
	n = cpus > PROCS_MAX ? PROCS_MAX : cpus;
	if (quota <= 0 || quota >= n)
		return n;
	limit = (unsigned)quota + (quota > (unsigned)quota);
	if (limit < QUOTA_PROCS_MIN)
		limit = QUOTA_PROCS_MIN;
	return limit < n ? limit : n;
}

unsigned procs_default(void)
{
	return procs_choose(getenv("GOMAXPROCS"), from_affinity(), procs_quota(""));
}

/* SPDX-License-Identifier: MIT */
/* limits.c - see limits.h. */
#include "limits.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../target/proc.h"
#include "threads.h"

#define FILE_BYTES 4096
#define USER_NS 5000000000ull /* all processes are looked at no more often */
#define CAP_SYS_ADMIN_BIT 21
#define CAP_SYS_RESOURCE_BIT 24

struct limits {
	const struct target *target;
	uint64_t nproc_used, nproc_used_at_ns;
};

struct limits *limits_new(const struct target *t)
{
	struct limits *l = calloc(1, sizeof(*l));

	if (l)
		l->target = t;
	return l;
}

void limits_free(struct limits *l)
{
	free(l);
}

/* What fits; false: it cannot be read, or is empty. */
static bool file_read(const char *path, char buf[FILE_BYTES])
{
	return proc_small_read(AT_FDCWD, path, buf, FILE_BYTES) > 0;
}

static uint64_t number_parse(const char *text)
{
	text += strspn(text, " \t");
	return isdigit((unsigned char)*text) ? strtoull(text, NULL, 10) : LIMITS_NONE;
}

/* What follows a word at the start of a line; NULL: there is no such line. */
static const char *line_find(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (; text; text = strchr(text, '\n'), text += text != NULL)
		if (!strncmp(text, word, n))
			return text + n;
	return NULL;
}

uint64_t limits_nproc_parse(const char *text)
{
	const char *at = line_find(text, "Max processes");

	return at ? number_parse(at) : LIMITS_NONE;
}

/* The kernel does not hold root, nor who may raise limits, to RLIMIT_NPROC. */
static bool is_exempt(const char *status, uint64_t *ret_uid)
{
	const char *uid = line_find(status, "Uid:"), *caps = line_find(status, "CapEff:");
	uint64_t bits = caps ? strtoull(caps, NULL, 16) : 0;

	*ret_uid = uid ? number_parse(uid) : LIMITS_NONE;
	return *ret_uid == 0 || *ret_uid == LIMITS_NONE ||
	       bits & (1ull << CAP_SYS_ADMIN_BIT | 1ull << CAP_SYS_RESOURCE_BIT);
}

static uint64_t threads_of_user(uint64_t uid)
{
	char path[64], text[FILE_BYTES];
	DIR *proc = opendir("/proc");
	uint64_t all = 0, n;
	struct dirent *d;

	if (!proc)
		return LIMITS_NONE;
	while ((d = readdir(proc)) != NULL) {
		const char *of, *threads;

		if (!isdigit((unsigned char)d->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/status", d->d_name);
		if (!file_read(path, text))
			continue;
		of = line_find(text, "Uid:");
		threads = line_find(text, "Threads:");
		n = threads ? number_parse(threads) : LIMITS_NONE;
		if (of && number_parse(of) == uid && n != LIMITS_NONE)
			all += n;
	}
	closedir(proc);
	return all;
}

static uint64_t nproc_read(struct limits *l, uint64_t *ret_used)
{
	char path[64], text[FILE_BYTES];
	uint64_t limit, uid, now_ns = threads_now_ns();

	*ret_used = LIMITS_NONE;
	snprintf(path, sizeof(path), "/proc/%d/status", l->target->via_tid);
	if (!file_read(path, text) || is_exempt(text, &uid))
		return LIMITS_NONE;
	snprintf(path, sizeof(path), "/proc/%d/limits", l->target->via_tid);
	if (!file_read(path, text))
		return LIMITS_NONE;
	limit = limits_nproc_parse(text);
	if (limit == LIMITS_NONE)
		return limit;
	if (!l->nproc_used_at_ns || now_ns - l->nproc_used_at_ns > USER_NS) {
		l->nproc_used = threads_of_user(uid);
		l->nproc_used_at_ns = now_ns;
	}
	*ret_used = l->nproc_used;
	return limit;
}

static uint64_t cgroup_number(const char *root, const char *path, const char *name)
{
	char file[PATH_MAX], text[FILE_BYTES];

	if ((size_t)snprintf(file, sizeof(file), "%s%s/%s", root, path, name) >= sizeof(file))
		return LIMITS_NONE;
	return file_read(file, text) ? number_parse(text) : LIMITS_NONE;
}

static uint64_t left(uint64_t max, uint64_t used)
{
	return max > used ? max - used : 0;
}

void limits_cgroup_read(const char *root, const char *path, uint64_t *ret_max, uint64_t *ret_used)
{
	char at[PATH_MAX], *slash;

	*ret_max = *ret_used = LIMITS_NONE;
	snprintf(at, sizeof(at), "%s", path);
	for (;;) {
		uint64_t max = cgroup_number(root, at, "pids.max");
		uint64_t used = cgroup_number(root, at, "pids.current");

		if (max != LIMITS_NONE && used != LIMITS_NONE &&
		    (*ret_max == LIMITS_NONE || left(max, used) < left(*ret_max, *ret_used))) {
			*ret_max = max;
			*ret_used = used;
		}
		slash = strrchr(at, '/');
		if (!slash)
			return;
		*slash = '\0';
	}
}

/* "0::/a/b": the one hierarchy; "7:pids:/a/b": the old kind. */
static void cgroup_read(const struct limits *l, uint64_t *ret_max, uint64_t *ret_used)
{
	char path[64], text[FILE_BYTES];
	const char *root = "/sys/fs/cgroup", *at;

	*ret_max = *ret_used = LIMITS_NONE;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", l->target->via_tid);
	if (!file_read(path, text))
		return;
	at = strstr(text, ":pids:");
	if (at) {
		root = "/sys/fs/cgroup/pids";
		at += strlen(":pids:");
	} else {
		at = line_find(text, "0::");
	}
	if (!at)
		return;
	text[at - text + (ptrdiff_t)strcspn(at, "\n")] = '\0';
	limits_cgroup_read(root, at, ret_max, ret_used);
}

void limits_emit(struct limits *l, const struct tables *t, source_emit_fn emit, void *arg)
{
	const struct layout_field *max = &t->layout->sched_maxmcount;
	struct grt_rec rec = { .time_ns = threads_now_ns(), .kind = GRT_K_SNAP_LIMITS };
	uint64_t nproc_used, cgroup_max, cgroup_used;

	rec.arg[0] = max->known && t->m.n ? tables_sched(t, max) : LIMITS_NONE;
	rec.arg[1] = nproc_read(l, &nproc_used);
	rec.arg[2] = nproc_used;
	cgroup_read(l, &cgroup_max, &cgroup_used);
	rec.arg[3] = cgroup_max;
	rec.arg[4] = cgroup_used;
	emit(arg, &rec);
}

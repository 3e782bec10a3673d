/* SPDX-License-Identifier: MIT */
/*
 * waits.c - see waits.h. As measured on Linux 6.18: a thread's time on run queues holds the time it was
 * throttled, too, and all of it is put down when the thread runs again. So what has not ended is added: from
 * when it was queued until now. A cgroup's throttled time is that of each CPU on which some of its threads
 * were: where the target is alone in it and has a thread a CPU, the two agree.
 */
#include "waits.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../target/proc.h"

#define FILE_BYTES 4096
#define NS_PER_US 1000u

struct before {
	uint32_t ns_tid;
	bool has_p;
	uint64_t waited_ns, ran_ns;
};

struct waits {
	const struct target *target;
	struct before *old, *now;
	size_t nold, nnow, cap;
	size_t at; /* in old; see find */
	uint64_t old_ns, now_ns;
	bool has_quota;
	uint64_t waited_ns, ran_ns; /* since the first look */
	struct quota first;
};

struct waits *waits_new(const struct target *t)
{
	struct waits *w = calloc(1, sizeof(*w));

	if (w)
		w->target = t;
	return w;
}

void waits_free(struct waits *w)
{
	if (!w)
		return;
	free(w->old);
	free(w->now);
	free(w);
}

void waits_begin(struct waits *w, uint64_t now_ns)
{
	struct before *reused = w->old;

	w->old = w->now;
	w->nold = w->nnow;
	w->now = reused;
	w->nnow = w->at = 0;
	w->old_ns = w->now_ns;
	w->now_ns = now_ns;
}

/* Both looks list threads in one order: what lies before this one in the older is passed for good. */
static const struct before *find(struct waits *w, uint32_t ns_tid)
{
	while (w->at < w->nold && w->old[w->at].ns_tid < ns_tid)
		w->at++;
	return w->at < w->nold && w->old[w->at].ns_tid == ns_tid ? &w->old[w->at] : NULL;
}

static uint64_t grown(uint64_t now, uint64_t before, uint64_t at_most)
{
	uint64_t by = now > before ? now - before : 0;

	return by < at_most ? by : at_most;
}

static bool reserve(struct waits *w)
{
	size_t cap = w->cap ? w->cap * 2 : 64;
	struct before *old, *now;

	if (w->nnow < w->cap)
		return true;
	old = reallocarray(w->old, cap, sizeof(*old));
	if (old)
		w->old = old;
	now = old ? reallocarray(w->now, cap, sizeof(*now)) : NULL;
	if (!now)
		return false;
	w->now = now;
	w->cap = cap;
	return true;
}

void waits_note(struct waits *w, const struct thread_row *t, bool has_p)
{
	const struct before *b;
	uint64_t waited_ns = t->waited_ns;

	if (!t->has_waited || !reserve(w))
		return;
	if (t->queued_since_ns && t->queued_since_ns < w->now_ns)
		waited_ns += w->now_ns - t->queued_since_ns;
	w->now[w->nnow++] = (struct before){ t->ns_tid, has_p, waited_ns, t->ran_ns };
	b = w->old_ns ? find(w, t->ns_tid) : NULL;
	/* At one of two looks is enough: who yields has none for a moment. */
	if (!b || !(has_p || b->has_p))
		return;
	w->waited_ns += grown(waited_ns, b->waited_ns, w->now_ns - w->old_ns);
	w->ran_ns += grown(t->ran_ns, b->ran_ns, w->now_ns - w->old_ns);
}

/* --- the quota ------------------------------------------------------------------------------- */

static bool file_read(const char *root, const char *path, const char *name, char buf[FILE_BYTES])
{
	char file[PATH_MAX];

	if ((size_t)snprintf(file, sizeof(file), "%s%s/%s", root, path, name) >= sizeof(file))
		return false;
	return proc_small_read(AT_FDCWD, file, buf, FILE_BYTES) > 0;
}

/* "nr_periods 7"; 0: there is no such line. */
static uint64_t line_number(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (; text; text = strchr(text, '\n'), text += text != NULL)
		if (!strncmp(text, word, n) && text[n] == ' ')
			return strtoull(text + n + 1, NULL, 10);
	return 0;
}

static bool limits_read(const char *root, const char *path, bool is_v1, struct quota *ret)
{
	char text[FILE_BYTES], period[FILE_BYTES];
	unsigned long long quota_us, period_us;

	if (is_v1) {
		if (!file_read(root, path, "cpu.cfs_quota_us", text) || text[0] == '-' ||
		    !file_read(root, path, "cpu.cfs_period_us", period))
			return false;
		quota_us = strtoull(text, NULL, 10);
		period_us = strtoull(period, NULL, 10);
	} else if (!file_read(root, path, "cpu.max", text) ||
		   sscanf(text, "%llu %llu", &quota_us, &period_us) != 2) {
		return false; /* "max 100000" */
	}
	if (!quota_us || !period_us)
		return false;
	ret->quota_ns = quota_us * NS_PER_US;
	ret->period_ns = period_us * NS_PER_US;
	return true;
}

/* What has not ended is in the local one alone; older kernels have none. */
static void stat_read(const char *root, const char *path, bool is_v1, struct quota *ret)
{
	const char *word = is_v1 ? "throttled_time" : "throttled_usec";
	uint64_t unit = is_v1 ? 1 : NS_PER_US, local = 0;
	char text[FILE_BYTES];

	if (!file_read(root, path, "cpu.stat", text))
		return;
	ret->periods = line_number(text, "nr_periods");
	ret->throttled_periods = line_number(text, "nr_throttled");
	ret->throttled_ns = line_number(text, word) * unit;
	if (file_read(root, path, "cpu.stat.local", text))
		local = line_number(text, word) * unit;
	if (local > ret->throttled_ns)
		ret->throttled_ns = local;
}

static bool is_tighter(const struct quota *a, const struct quota *b)
{
	return (double)a->quota_ns / (double)a->period_ns <
	       (double)b->quota_ns / (double)b->period_ns;
}

bool quota_read(const char *root, const char *path, bool is_v1, struct quota *ret)
{
	char at[PATH_MAX], *slash;
	bool is_found = false;

	snprintf(at, sizeof(at), "%s", strcmp(path, "/") ? path : "");
	for (;;) {
		struct quota q = { 0 };

		if (limits_read(root, at, is_v1, &q) && (!is_found || is_tighter(&q, ret))) {
			stat_read(root, at, is_v1, &q);
			*ret = q;
			is_found = true;
		}
		slash = strrchr(at, '/');
		if (!slash)
			return is_found;
		*slash = '\0';
	}
}

/* "3:cpu,cpuacct:/a/b" of the first version, or "0::/a/b". */
static bool quota_of(const struct target *t, struct quota *ret)
{
	char path[64], text[FILE_BYTES], root[PATH_MAX], *save = NULL;

	snprintf(path, sizeof(path), "/proc/%d", t->via_tid);
	if (!file_read(path, "", "cgroup", text))
		return false;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *names = strchr(line, ':'), *of = names ? strchr(names + 1, ':') : NULL;
		bool is_v2;

		if (!of)
			continue;
		*of++ = '\0';
		names++;
		is_v2 = !*names;
		if (!is_v2 && strcmp(names, "cpu") && strncmp(names, "cpu,", 4))
			continue;
		snprintf(root, sizeof(root), "/sys/fs/cgroup%s%.200s", is_v2 ? "" : "/", names);
		if (quota_read(root, of, !is_v2, ret))
			return true;
	}
	return false;
}

void waits_emit(struct waits *w, source_emit_fn emit, void *arg)
{
	struct grt_rec rec = { .time_ns = w->now_ns, .kind = GRT_K_SNAP_WAIT };
	struct quota q = { 0 };

	if (w->nnow == 0)
		return;
	if (quota_of(w->target, &q)) {
		if (!w->has_quota)
			w->first = q;
		w->has_quota = true;
		rec.arg[2] = grown(q.throttled_ns, w->first.throttled_ns, UINT64_MAX);
		rec.arg[3] = q.quota_ns;
		rec.arg[4] = q.period_ns;
		rec.arg[5] = grown(q.throttled_periods, w->first.throttled_periods, UINT32_MAX) |
			     grown(q.periods, w->first.periods, UINT32_MAX) << 32;
	}
	rec.arg[0] = w->waited_ns;
	rec.arg[1] = w->ran_ns;
	emit(arg, &rec);
}

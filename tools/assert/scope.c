/* SPDX-License-Identifier: MIT */
/*
 * scope.c - a scope's life. One thread of its own, the observer, owns source and evidence: it collects
 * all the time, so that no ring fills, and it runs every check as a job. So nothing here needs a lock
 * but the hand-over of a job, and a goroutine that waits for one is parked on a descriptor.
 *
 * Settling: the model orders records within 10 ms. A check must know of all that happened before it was
 * asked, so a fresh look goes on collecting for that long, and settles what is older than the question.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../source/threads.h"
#include "delays.h"
#include "scope.h"

#define COLLECT_NS 20000000ll /* between two drains when nobody asks */

/* libgrt's, if the program has it. */
__attribute__((weak)) uint64_t grt_self(void);
__attribute__((weak)) int grt_fd_pollable(int fd);
__attribute__((weak)) int grt_fd_wait(int fd, short events, int64_t deadline_ns);
__attribute__((weak)) int grt_close(int fd);
__attribute__((weak)) int grt_observer_mark(int is_observer);

static void emit(void *arg, const struct grt_rec *rec)
{
	evidence_apply(arg, rec);
}

/* Of a process that has ended all is known; of one that went on unseen, nothing can be said. */
static void note_over(struct gotrace_scope *s, int rc)
{
	if (rc >= 0)
		return;
	s->is_over = true;
	s->evidence.is_gone = rc == -ESRCH;
	if (rc != -ESRCH)
		s->evidence.cut = rc == -ESTALE ? "the process replaced its image"
						: "the process could not be read any more";
}

void scope_collect(struct gotrace_scope *s, int64_t for_ns)
{
	int64_t until = (int64_t)threads_now_ns() + for_ns;

	if (!s->is_over)
		note_over(s, s->in.source->ops->wait(s->in.source, until, emit, &s->evidence));
}

void scope_look(struct gotrace_scope *s)
{
	uint64_t asked_ns = threads_now_ns();

	if (s->evidence.is_complete)
		return;
	scope_collect(s, MODEL_WINDOW_NS);
	if (!s->is_over)
		note_over(s, s->in.source->ops->snapshot(s->in.source, emit, &s->evidence));
	delays_read(&s->evidence, s->in.pid);
	evidence_tick(&s->evidence, s->is_over ? UINT64_MAX : asked_ns + MODEL_WINDOW_NS);
}

/* A recording is one scope: all its ticks at once. */
static void replay(struct gotrace_scope *s)
{
	int rc;

	do {
		rc = s->in.source->ops->snapshot(s->in.source, emit, &s->evidence);
		if (rc == 0) {
			evidence_tick(&s->evidence, model_snap(s->evidence.model)->settle_ns);
			rc = s->in.source->ops->wait(s->in.source, INT64_MAX, emit, &s->evidence);
		}
	} while (rc == 0);
	evidence_tick(&s->evidence, UINT64_MAX);
	s->evidence.is_complete = s->is_over = true;
}

static void job_done(const struct gotrace_scope *s)
{
	uint64_t one = 1;

	while (write(s->done_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* lock held. False: there is none, or time is up. */
static bool job_wait(struct gotrace_scope *s, int64_t ns)
{
	struct timespec until;
	int64_t at;

	clock_gettime(CLOCK_MONOTONIC, &until);
	at = until.tv_nsec + ns;
	until.tv_sec += at / 1000000000;
	until.tv_nsec = at % 1000000000;
	while (!s->job && !s->is_ending)
		if (pthread_cond_timedwait(&s->changed, &s->lock, &until) == ETIMEDOUT)
			break;
	return s->job != NULL;
}

static void *observe(void *arg)
{
	struct gotrace_scope *s = arg;

	if (grt_observer_mark)
		grt_observer_mark(1);
	pthread_mutex_lock(&s->lock);
	while (!s->is_ending) {
		struct job *j;

		job_wait(s, COLLECT_NS);
		j = s->job;
		s->job = NULL;
		pthread_mutex_unlock(&s->lock);
		if (j) {
			j->run(s, j->arg);
			job_done(s);
		} else {
			scope_collect(s, 0);
		}
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	if (grt_observer_mark)
		grt_observer_mark(0);
	job_done(s);
	return NULL;
}

/* Apart: a goroutine that waited may be on another thread, whose errno is another one. */
__attribute__((noinline)) static bool take_done(int fd)
{
	uint64_t n;

	return read(fd, &n, sizeof(n)) == sizeof(n);
}

/*
 * In a goroutine: park it, by the netpoller. Never by a call that the runtime sees: on a busy machine
 * such a call loses its P, and would be a blocked M of our own making.
 */
static void wait_done(struct gotrace_scope *s)
{
	bool in_goroutine = grt_self && grt_fd_pollable && grt_fd_wait && grt_self() != 0;
	struct pollfd p = { .fd = s->done_fd, .events = POLLIN };

	if (in_goroutine && !s->is_polled)
		s->is_polled = grt_fd_pollable(s->done_fd) == 0;
	while (!take_done(s->done_fd))
		if (!in_goroutine || !s->is_polled || grt_fd_wait(s->done_fd, POLLIN, 0) != 0)
			poll(&p, 1, -1);
}

void scope_run(struct gotrace_scope *s, void (*run)(struct gotrace_scope *, void *), void *arg)
{
	struct job j = { run, arg };

	if (gettid() == s->observer_tid) {
		run(s, arg); /* a check inside a predicate */
		return;
	}
	pthread_mutex_lock(&s->lock);
	s->job = &j;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
	wait_done(s);
}

/* --- begin and end --------------------------------------------------------------------------- */

static void first_look(struct gotrace_scope *s, void *unused)
{
	(void)unused;
	s->observer_tid = gettid();
	s->evidence.observer_tid[s->evidence.nobservers++] = (uint32_t)s->observer_tid;
	if (s->in.via == GOTRACE_VIA_FILE)
		replay(s);
	else
		scope_look(s);
}

static bool observer_start(struct gotrace_scope *s)
{
	pthread_condattr_t attr;
	sigset_t all, old;
	int rc;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	/* The program's signals are not for it. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&s->observer, NULL, observe, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc == 0;
}

static void scope_free(struct gotrace_scope *s)
{
	evidence_fini(&s->evidence);
	if (s->is_polled)
		grt_close(s->done_fd);
	else if (s->done_fd >= 0)
		close(s->done_fd);
	free(s->copy);
	free(s);
}

static struct gotrace_scope *scope_new(void)
{
	struct gotrace_scope *s = calloc(1, sizeof(*s));

	if (!s || !evidence_init(&s->evidence)) {
		scope_why("out of memory");
		free(s);
		return NULL;
	}
	s->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->done_fd >= 0)
		return s;
	scope_why("no descriptor is left");
	scope_free(s);
	return NULL;
}

struct gotrace_scope *gotrace_scope_begin(struct gotrace_target target, unsigned needs)
{
	struct gotrace_scope *s = scope_new();

	if (!s)
		return NULL;
	if (!scope_source_open(&s->in, &s->evidence, &target, needs)) {
		scope_free(s);
		return NULL;
	}
	if (s->in.pid == getpid())
		s->evidence.own_fd = s->done_fd;
	if (!observer_start(s)) {
		scope_why("cannot start the observer's thread");
		scope_source_close(&s->in);
		scope_free(s);
		return NULL;
	}
	scope_run(s, first_look, NULL);
	return s;
}

void gotrace_scope_end(struct gotrace_scope *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->is_ending = true;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
	/* Waiting here may park us; the join that follows finds it gone. */
	wait_done(s);
	pthread_join(s->observer, NULL);
	scope_source_close(&s->in);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->changed);
	scope_free(s);
}

const char *gotrace_text(const struct gotrace_scope *s)
{
	return s->evidence.text;
}

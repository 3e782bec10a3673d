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
#include "evidence.h"
#include "scope_open.h"

#define COLLECT_NS 20000000ll   /* between two drains when nobody asks */
#define WAIT_QUIET_NS 2000000ll /* a wait asks so often while no record comes */
#define WAIT_SLICE_NS 500000ll  /* and so soon after one has come */

/* libgrt's, if the program has it. */
__attribute__((weak)) uint64_t grt_self(void);
__attribute__((weak)) int grt_fd_pollable(int fd);
__attribute__((weak)) int grt_fd_wait(int fd, short events, int64_t deadline_ns);
__attribute__((weak)) int grt_close(int fd);
__attribute__((weak)) int grt_observer_mark(int is_observer);

struct job {
	void (*run)(struct gotrace_scope *s, void *arg);
	void *arg;
};

struct gotrace_scope {
	struct scope_source in;
	struct evidence evidence;
	struct gotrace_handoff *copy; /* what gotrace_handoffs gave out */
	pthread_t observer;
	pid_t observer_tid;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct job *job; /* lock; NULL: none */
	int done_fd;     /* becomes readable when a job is done */
	bool is_polled;  /* by libgrt's netpoller */
	bool is_ending;  /* lock */
	bool is_over;    /* the target has ended, or the recording */
};

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

static void collect(struct gotrace_scope *s, int64_t for_ns)
{
	int64_t until = (int64_t)threads_now_ns() + for_ns;

	if (!s->is_over)
		note_over(s, s->in.source->ops->wait(s->in.source, until, emit, &s->evidence));
}

/* All that happened until now is known when this returns, and looked at. */
static void look(struct gotrace_scope *s)
{
	uint64_t asked_ns = threads_now_ns();

	if (s->evidence.is_complete)
		return;
	collect(s, MODEL_WINDOW_NS);
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
			collect(s, 0);
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

/* On the observer's thread, and come back when it is done. */
static void run_job(struct gotrace_scope *s, void (*run)(struct gotrace_scope *, void *), void *arg)
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
		look(s);
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
	if (!observer_start(s)) {
		scope_why("cannot start the observer's thread");
		scope_source_close(&s->in);
		scope_free(s);
		return NULL;
	}
	run_job(s, first_look, NULL);
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

/* --- checks ------------------------------------------------------------------------------------ */

struct check {
	enum gotrace_answer (*plain)(struct evidence *);
	enum gotrace_answer (*with_int)(struct evidence *, int);
	enum gotrace_answer (*looking)(struct gotrace_scope *, int);
	enum gotrace_answer (*with_count)(struct evidence *, unsigned);
	unsigned percentile;
	uint64_t n;
	enum gotrace_answer ret;
};

/* Who gets the P may be on its way: a slow machine shall not make an answer of it. */
static enum gotrace_answer handed_off(struct gotrace_scope *s, int nr)
{
	enum gotrace_answer ret = predicate_handed_off(&s->evidence, nr);

	while (ret == GOTRACE_INCONCLUSIVE && !s->is_over &&
	       predicate_handoff_is_pending(&s->evidence, nr)) {
		look(s);
		ret = predicate_handed_off(&s->evidence, nr);
	}
	return ret;
}

static void check_run(struct gotrace_scope *s, void *arg)
{
	struct check *c = arg;
	struct evidence *e = &s->evidence;

	look(s);
	if (c->plain)
		c->ret = c->plain(e);
	else if (c->with_int)
		c->ret = c->with_int(e, (int)c->n);
	else if (c->looking)
		c->ret = c->looking(s, (int)c->n);
	else if (c->with_count)
		c->ret = c->with_count(e, (unsigned)c->n);
	else
		c->ret = predicate_handoff_within(e, c->percentile, c->n);
}

static enum gotrace_answer check(struct gotrace_scope *s, struct check c)
{
	c.ret = GOTRACE_INCONCLUSIVE;
	run_job(s, check_run, &c);
	return c.ret;
}

enum gotrace_answer gotrace_check_no_blocked_m(struct gotrace_scope *s)
{
	return check(s, (struct check){ .plain = predicate_no_blocked_m });
}

enum gotrace_answer gotrace_check_blocked_at_most(struct gotrace_scope *s, unsigned n)
{
	return check(s, (struct check){ .with_count = predicate_blocked_at_most, .n = n });
}

enum gotrace_answer gotrace_check_handed_off(struct gotrace_scope *s, int nr)
{
	return check(s, (struct check){ .looking = handed_off, .n = (uint64_t)nr });
}

enum gotrace_answer gotrace_check_handoff_within_us(struct gotrace_scope *s, unsigned percentile,
						    uint64_t us)
{
	return check(s, (struct check){ .percentile = percentile, .n = us });
}

enum gotrace_answer gotrace_check_threads_at_most(struct gotrace_scope *s, unsigned n)
{
	return check(s, (struct check){ .with_count = predicate_threads_at_most, .n = n });
}

enum gotrace_answer gotrace_check_netpoll_parked(struct gotrace_scope *s, int fd)
{
	return check(s, (struct check){ .with_int = predicate_netpoll_parked, .n = (uint64_t)fd });
}

enum gotrace_answer gotrace_check_no_hostage(struct gotrace_scope *s)
{
	return check(s, (struct check){ .plain = predicate_no_hostage });
}

struct waiting {
	gotrace_predicate is_true;
	void *arg;
	int64_t deadline_ns;
	bool came;
};

/* Something has happened; or nothing has for a while, for what is awaited may be no event of the runtime. */
static void await_news(struct gotrace_scope *s)
{
	int64_t until = (int64_t)threads_now_ns() + WAIT_QUIET_NS;
	uint64_t known = s->evidence.nevents;

	do
		collect(s, WAIT_SLICE_NS);
	while (!s->is_over && s->evidence.nevents == known && (int64_t)threads_now_ns() < until);
}

static void wait_run(struct gotrace_scope *s, void *arg)
{
	struct waiting *w = arg;
	int64_t until = (int64_t)threads_now_ns() + w->deadline_ns;

	for (;;) {
		w->came = w->is_true(s, w->arg);
		if (w->came || s->is_over || (int64_t)threads_now_ns() >= until)
			return;
		await_news(s);
	}
}

bool gotrace_wait_for(struct gotrace_scope *s, gotrace_predicate is_true, void *arg,
		      int64_t deadline_ns)
{
	struct waiting w = { is_true, arg, deadline_ns, false };

	run_job(s, wait_run, &w);
	return w.came;
}

/* Who waits for a descriptor, but for the goroutine that waits for us. */
static uint64_t netpoll_parked(const struct gotrace_scope *s)
{
	const struct model_g *g;
	size_t n = model_goroutines(s->evidence.model, &g);
	uint64_t parked = 0;

	if (n == 0)
		return model_snap(s->evidence.model)->netpoll_parked;
	for (size_t i = 0; i < n; i++)
		parked += g[i].status == GRT_G_WAITING && g[i].fd >= 0 && g[i].fd != s->done_fd;
	return parked;
}

static void look_run(struct gotrace_scope *s, void *arg)
{
	const struct model_snap *snap = model_snap(s->evidence.model);
	struct gotrace_now *n = arg;

	look(s);
	if (s->evidence.is_gone)
		return;
	*n = (struct gotrace_now){
		.threads = (unsigned)evidence_threads(&s->evidence),
		.blocked = snap->count[GRT_MS_blocked],
		.in_syscall = snap->count[GRT_MS_syscall],
		.hostage = snap->count[GRT_MS_hostage],
		.running = snap->count[GRT_MS_running],
		.spinning = snap->count[GRT_MS_spinning],
		.polling = snap->count[GRT_MS_polling],
		.idle = snap->count[GRT_MS_idle],
		.locked = snap->count[GRT_MS_locked],
		.procs_idle = snap->procs_idle,
		.goroutines = snap->goroutines,
		.netpoll_parked = netpoll_parked(s),
	};
}

struct gotrace_now gotrace_look(struct gotrace_scope *s)
{
	struct gotrace_now n = { 0 };

	run_job(s, look_run, &n);
	return n;
}

static void handoffs_run(struct gotrace_scope *s, void *arg)
{
	struct evidence *e = &s->evidence;
	size_t *n = arg;

	look(s);
	free(s->copy);
	s->copy = calloc(e->nhandoffs + 1, sizeof(*s->copy));
	*n = s->copy ? e->nhandoffs : 0;
	if (*n)
		memcpy(s->copy, e->handoff, *n * sizeof(*s->copy));
}

size_t gotrace_handoffs(struct gotrace_scope *s, const struct gotrace_handoff **ret)
{
	size_t n = 0;

	run_job(s, handoffs_run, &n);
	*ret = s->copy;
	return n;
}

static void returns_run(struct gotrace_scope *s, void *arg)
{
	look(s);
	*(struct gotrace_returns *)arg = s->evidence.returns;
}

struct gotrace_returns gotrace_returned(struct gotrace_scope *s)
{
	struct gotrace_returns r = { 0 };

	run_job(s, returns_run, &r);
	return r;
}

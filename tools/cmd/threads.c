/* SPDX-License-Identifier: MIT */
/*
 * threads.c - gotrace threads: how many threads a process has, and in which state each is.
 *
 *	pid 4711 (growth), libgrt, level 1, 9/9 armed; exact: blocked, hand-offs, p99,
 *	  new threads; sampled every 1s: the rest
 *	----------------- threads ------------------ - Ps -- --- Gs --- hand-off thr
 *	all blk sysc hst run spn pol idl lck sys fgn bsy idl all rq net /s   p99 new
 *	102  97    0   0   0   0   1   3   0   1   0   1   1 101  0   0 98  61us   0
 *
 * A tick: snapshot, tell the model the time, show. Between ticks the source hands over events.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "../diag.h"
#include "../source/source.h"
#include "../target/fdname.h"
#include "../target/symname.h"
#include "../view/view.h"
#include "cmd.h"
#include "start.h"

#define SEC_NS 1000000000ll
#define SCREEN_COLUMNS 80 /* where there is no screen */
#define PAGE_BYTES 4096u
#define KIND(name) (1ull << GRT_K_##name)

/* Cold ones only: what hand-offs, new threads and the laws are made from. */
#define KINDS                                                                          \
	(KIND(m_new) | KIND(m_start) | KIND(m_exit) | KIND(exitsyscall_slow) |         \
	 KIND(entersyscallblock) | KIND(retake) | KIND(handoff) | KIND(handoff_done) | \
	 KIND(procs_change))

static struct {
	int64_t interval_ns;
	unsigned long rows;
	bool once, by_m, json, sample;
} opt = { .interval_ns = SEC_NS };

struct session {
	struct target *target;
	struct source *source;
	struct model *model;
	struct view *view;
	struct fdname *fdname;
	struct symname *symname;
	struct call_names names;
	struct started started; /* pid 0: we did not start it */
	uint64_t rows, begin_ns;
	char note[256];
	bool has_begun;
};

static uint64_t clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SEC_NS + (uint64_t)ts.tv_nsec;
}

static bool name_fd(void *arg, int fd, char *buf, size_t bytes)
{
	return fdname_get(((struct session *)arg)->fdname, fd, buf, bytes);
}

static bool name_symbol(void *arg, uint64_t addr, char *buf, size_t bytes)
{
	return symname_get(((struct session *)arg)->symname, addr, buf, bytes);
}

/* A string in the target, page by page: it may end just before memory does. */
static bool name_text(void *arg, uint64_t addr, char *buf, size_t bytes)
{
	struct session *s = arg;
	size_t n = 0;

	while (n < bytes - 1) {
		size_t part = PAGE_BYTES - (addr + n) % PAGE_BYTES;
		struct target_read r = { .addr = addr + n, .buf = buf + n };

		r.bytes = (uint32_t)(part < bytes - 1 - n ? part : bytes - 1 - n);
		if (target_read_many(s->target, &r, 1) != 1)
			return false;
		if (memchr(r.buf, '\0', r.bytes))
			return n || buf[0];
		n += r.bytes;
	}
	buf[n] = '\0';
	return true;
}

static unsigned int screen_size(unsigned int *ret_lines)
{
	struct winsize w;

	*ret_lines = 0;
	if (!isatty(STDOUT_FILENO))
		return SCREEN_COLUMNS;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_col == 0)
		return SCREEN_COLUMNS;
	*ret_lines = w.ws_row;
	return w.ws_col;
}

static void emit(void *arg, const struct grt_rec *rec)
{
	model_apply(arg, rec);
}

static int source_attach(struct session *s)
{
	struct source_opts o = {
		.sample_only = opt.sample,
		.kinds = opt.sample ? 0 : KINDS,
		.want_switches = !opt.sample,
	};
	int code = EXIT_FINE;

	s->source = source_live_open(s->target, &o, &code);
	return code;
}

static void note_add(struct session *s, const char *text)
{
	size_t n = strlen(s->note);

	snprintf(s->note + n, sizeof(s->note) - n, "%s%s", n ? "; " : "", text);
}

/* What the first snapshot says of the time before it. */
static void note_missed(struct session *s)
{
	const struct model_snap *snap = model_snap(s->model);
	char text[128];

	if (s->target->module.is_replaced)
		note_add(s, "its file was replaced on disk: the running image is what is read");
	if (s->target->is_stopped && !s->started.pid)
		note_add(s, "it is stopped");
	if (!s->started.pid)
		return;
	if (snap->procs == 0) {
		note_add(s, "attached before its runtime started: nothing was missed");
		return;
	}
	snprintf(text, sizeof(text),
		 "attached after its runtime started: %llu hand-offs and %llu threads came before",
		 (unsigned long long)snap->handoffs, (unsigned long long)snap->threads_made);
	note_add(s, text);
}

static void begin(struct session *s)
{
	struct source_status st;
	struct view_head h = {
		.pid = s->target->pid,
		.comm = s->target->comm,
		.runtime = "libgrt",
		.interval_ns = opt.interval_ns,
	};

	s->source->ops->status(s->source, &st);
	note_missed(s);
	h.level = st.level;
	h.armed = st.armed;
	h.wanted = st.wanted;
	h.has_iterator = st.has_iterator;
	h.why_not_higher = st.why_not_higher;
	h.note = s->note[0] ? s->note : NULL;
	s->view->ops->begin(s->view, s->model, &h);
	s->has_begun = true;
}

/*
 * Take a snapshot and settle what came before it. The time is taken first: a snapshot begins by
 * handing over the events so far, so none from before that time is still to come. A time taken
 * afterwards would call late what happened while the snapshot was taken.
 */
static int snapshot(struct session *s)
{
	uint64_t before_ns = clock_now();
	int rc = s->source->ops->snapshot(s->source, emit, s->model);

	model_tick(s->model, before_ns);
	return rc;
}

/* One tick. 0, or -errno of the source. */
static int tick(struct session *s)
{
	int rc = snapshot(s);

	if (rc < 0)
		return rc;
	if (!s->has_begun)
		begin(s);
	if (!model_has_snapshot(s->model))
		return 0;
	fdname_refresh(s->fdname);
	if (opt.by_m)
		s->view->ops->by_m(s->view, s->model);
	else
		s->view->ops->row(s->view, s->model);
	s->rows++;
	return 0;
}

static bool is_enough(const struct session *s)
{
	return opt.rows && s->rows >= opt.rows;
}

/* Ticks until asked to stop; ticks that could not be kept are left out, not caught up with. */
static int watch(struct session *s)
{
	uint64_t next_ns = clock_now(), interval_ns = (uint64_t)opt.interval_ns;
	int rc;

	for (;;) {
		rc = tick(s);
		if (s->started.pid && s->rows <= 1)
			start_release(&s->started);
		if (rc < 0 || is_enough(s) || ferror(stdout))
			return rc;
		next_ns += interval_ns;
		if (next_ns < clock_now())
			next_ns = clock_now() + interval_ns;
		rc = s->source->ops->wait(s->source, (int64_t)next_ns, emit, s->model);
		if (rc < 0)
			return rc;
	}
}

static void finish(struct session *s, enum view_why why)
{
	char law[256];
	struct source_status st;
	struct view_end e = { .why = why, .rows = s->rows };

	/* What happened since the last tick belongs to the totals, too. */
	if (why == VIEW_SIGNAL)
		snapshot(s);
	/* Nothing more will come: what is held back for ordering is settled. */
	model_tick(s->model, clock_now() + 2 * MODEL_WINDOW_NS);
	e.observed_ns = clock_now() - s->begin_ns;
	if (model_law_broken(s->model, law, sizeof(law)))
		e.law_broken = law;
	s->source->ops->status(s->source, &st);
	e.probe_hits = st.probe_hits;
	if (s->has_begun)
		s->view->ops->totals(s->view, s->model, &e);
}

static enum view_why why_of(const struct session *s, int rc)
{
	if (rc == -EINTR)
		return VIEW_SIGNAL;
	if (rc == -ESRCH)
		return target_is_alive(s->target) ? VIEW_REPLACED : VIEW_EXITED;
	return VIEW_ASKED;
}

/* One image of the process, from attach to detach. */
static int session_run(struct session *s, enum view_why *ret_why)
{
	int code = source_attach(s), rc;

	if (!s->source)
		return code;
	s->begin_ns = clock_now();
	rc = watch(s);
	*ret_why = why_of(s, rc);
	if (rc < 0 && *ret_why == VIEW_ASKED)
		code = diag_error(EXIT_SYSTEM, "cannot read pid %d: %s", s->target->pid,
				  strerror(-rc));
	finish(s, *ret_why);
	if (code == EXIT_FINE && model_lost(s->model, 0))
		code = EXIT_LOST;
	s->source->ops->close(s->source);
	s->source = NULL;
	return code;
}

static bool session_init(struct session *s)
{
	unsigned int lines, columns = screen_size(&lines);

	s->names = (struct call_names){ s, name_fd, name_text, name_symbol };
	s->model = model_new();
	s->view = opt.json ? view_json_new(stdout, &s->names)
			   : view_table_new(stdout, &s->names, columns, lines);
	s->fdname = fdname_new(s->target->via_tid);
	s->symname = symname_new(s->target->via_tid);
	return s->model && s->view && s->fdname && s->symname;
}

static void session_fini(struct session *s)
{
	view_free(s->view);
	model_free(s->model);
	fdname_free(s->fdname);
	symname_free(s->symname);
	target_close(s->target);
}

static int session_of(struct target *t, struct started *started, enum view_why *ret_why)
{
	struct session s = { .target = t };
	int code;

	if (started)
		s.started = *started;
	code = session_init(&s) ? session_run(&s, ret_why)
				: diag_error(EXIT_SYSTEM, "out of memory");
	session_fini(&s);
	return code;
}

/* An exec starts over with the new image. What was lost of the old one stays lost. */
static int study(struct target *t, struct started *started)
{
	enum view_why why = VIEW_ASKED;
	bool has_lost = false;
	pid_t pid = t->pid;
	int code;

	for (;;) {
		code = session_of(t, started, &why);
		has_lost |= code == EXIT_LOST;
		if (why != VIEW_REPLACED || (code != EXIT_FINE && code != EXIT_LOST))
			break;
		why = VIEW_ASKED;
		started = NULL;
		t = target_open(pid, &code);
		if (!t)
			break;
	}
	return code == EXIT_FINE && has_lost ? EXIT_LOST : code;
}

static int usage(const char *why)
{
	diag_error(EXIT_USAGE, "threads: %s", why);
	diag_hint("gotrace threads PID, or gotrace threads -- COMMAND...");
	return EXIT_USAGE;
}

static int run_command(char **argv)
{
	struct started started;
	struct target *t;
	int code = EXIT_FINE;

	t = start_command(argv, &started, &code);
	if (!t)
		return code;
	code = study(t, &started);
	start_release(&started);
	if (!start_reap(&started))
		diag_warn("%s goes on as pid %d", argv[0], started.pid);
	return code;
}

static int run_operands(int argc, char **argv)
{
	struct target *t;
	int code = EXIT_FINE, pid;

	diag_json(opt.json);
	if (opt.once)
		opt.rows = 1;
	if (argc < 1)
		return usage("which process?");
	source_signals_init();
	if (!strcmp(argv[0], "--"))
		return argc > 1 ? run_command(argv + 1) : usage("which command?");
	if (argc > 1)
		return usage("one process at a time");
	pid = opt_pid(argv[0]);
	if (!pid)
		return EXIT_USAGE;
	t = target_open(pid, &code);
	return t ? study(t, NULL) : code;
}

/* Whoever read us has gone: that is no failure of ours, and nobody is left to be told. */
static bool is_unread(void)
{
	struct pollfd pfd = { .fd = STDOUT_FILENO };

	fflush(stdout);
	return ferror(stdout) && poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLERR | POLLHUP));
}

static int run(int argc, char **argv)
{
	int code = run_operands(argc, argv);

	if (is_unread() && !freopen("/dev/null", "w", stdout))
		return EXIT_SYSTEM;
	return code;
}

static const struct opt opts[] = {
	{ "interval", 'i', OPT_DURATION, "TIME", "time between rows (1s)", &opt.interval_ns },
	{ "rows", 'n', OPT_UINT, "N", "stop after so many rows", &opt.rows },
	{ "once", 0, OPT_FLAG, NULL, "one row, as -n 1", &opt.once },
	{ "by-m", 0, OPT_FLAG, NULL, "a row per M: its state, for how long, in which call",
	  &opt.by_m },
	{ "json", 0, OPT_FLAG, NULL, "one JSON object a line", &opt.json },
	{ "sample", 0, OPT_FLAG, NULL, "no BPF: read memory and /proc only", &opt.sample },
	{ NULL, 0, OPT_FLAG, NULL, NULL, NULL },
};

const struct cmd cmd_threads = {
	.name = "threads",
	.args = "PID | -- COMMAND...",
	.help = "threads by state, a row a second; or a row per M",
	.opts = opts,
	.takes_command = true,
	.run = run,
};

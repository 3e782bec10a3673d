/* SPDX-License-Identifier: MIT */
/*
 * record.c - gotrace record: what the other reports would be made from, in a file.
 *
 *	pid 4711 (growth), libgrt, level 1, 10/10 armed; recorded: every event of these probes, and a
 *	  snapshot every 1s
 *	recorded 1284 records, 31 snapshots in growth.grt: 48123 bytes
 *	...
 *	lost: 0
 *
 * The file is made when the process is there and watched: a wrong pid leaves none behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../diag.h"
#include "../source/file.h"
#include "../view/record.h"
#include "session.h"

static const char *path;
static uint64_t max_bytes;
static bool force, all;

struct recorder {
	struct file_writer *writer;
	int out_fd; /* our stdout, when that is the file */
	int error;
	struct record_done done;
};

static void done_fill(struct record_done *ret, const struct file_written *w)
{
	ret->records = w->records;
	ret->snapshots = w->snapshots;
	ret->bytes = w->bytes;
	ret->unwritten = w->dropped;
	ret->is_full = w->is_full;
	ret->has_failed = w->error != 0;
}

static int refused(const struct recorder *r, int error)
{
	enum exit_code code = error == EACCES || error == EPERM ? EXIT_NOT_PERMITTED : EXIT_SYSTEM;
	const char *name = r->done.path;

	if (error == EINVAL)
		diag_error(code, "cannot record to %s: it is not a regular file", name);
	else
		diag_error(code, "cannot record to %s: %s", name, strerror(error));
	if (error == EINVAL)
		diag_hint("-o - records to stdout");
	if (error == EEXIST)
		diag_hint("--force empties it first");
	return code;
}

static int begin(void *arg, const struct target *t, const struct source_status *st)
{
	struct recorder *r = arg;
	struct file_about about = {
		.pid = t->pid,
		.start_time_ns = t->start_time_ns,
		.interval_ns = (uint64_t)session_opts.interval_ns,
		.layout = t->layout.variant,
		.level = (uint32_t)st->level,
		.armed = (uint32_t)st->armed,
		.wanted = (uint32_t)st->wanted,
		.flags = (st->has_iterator ? FILE_HAS_ITERATOR : 0) |
			 (st->has_switches ? FILE_HAS_SWITCHES : 0) |
			 (st->is_replaced ? FILE_IS_REPLACED : 0),
		.comm = st->comm,
		.runtime = st->runtime,
		.why_not_higher = st->why_not_higher,
	};
	int rc = file_create(path, r->out_fd, force);

	if (rc < 0)
		return refused(r, -rc);
	r->writer = file_writer_open(rc, &about, max_bytes, &rc);
	return r->writer ? EXIT_FINE : refused(r, -rc);
}

static void record(void *arg, const struct grt_rec *rec)
{
	struct recorder *r = arg;

	file_writer_put(r->writer, rec);
}

static void tick(void *arg, const char *note)
{
	struct recorder *r = arg;

	if (note)
		file_writer_text(r->writer, GRT_TEXT_ABOUT, GRT_ABOUT_NOTE, note);
	file_writer_tick(r->writer);
	done_fill(&r->done, file_writer_written(r->writer));
}

static bool is_enough(void *arg)
{
	const struct recorder *r = arg;

	return r->done.is_full || r->done.has_failed;
}

static void end(void *arg, enum view_why why)
{
	static const enum grt_end ends[] = {
		[VIEW_ASKED] = GRT_END_ASKED,
		[VIEW_EXITED] = GRT_END_EXITED,
		[VIEW_REPLACED] = GRT_END_REPLACED,
		[VIEW_SIGNAL] = GRT_END_SIGNAL,
	};
	struct recorder *r = arg;
	struct file_written done;

	r->error = file_writer_close(r->writer, ends[why], &done);
	r->writer = NULL;
	done_fill(&r->done, &done);
}

static const struct session_tap tap = {
	.begin = begin,
	.record = record,
	.tick = tick,
	.is_enough = is_enough,
	.end = end,
};

/* The file is our stdout: what we say, and what a command says that we start, goes to stderr. */
static int stdout_take(struct recorder *r)
{
	r->out_fd = -1;
	if (strcmp(path, "-"))
		return EXIT_FINE;
	if (isatty(STDOUT_FILENO))
		return diag_error(EXIT_USAGE, "record: stdout is a terminal");
	r->out_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (r->out_fd < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return diag_error(EXIT_SYSTEM, "cannot record to stdout: %s", strerror(errno));
	return EXIT_FINE;
}

static uint64_t kinds_wanted(void)
{
	uint64_t kinds = COLD_KINDS | KIND(netpoll_run); /* all that reports are made from */

	for (int i = 0; all && i < probe_table_len; i++)
		kinds |= 1ull << probe_table[i].kind;
	return kinds;
}

static int recorded(const struct recorder *r, int code)
{
	if (r->error == 0)
		return code;
	if (r->error == -EINTR) {
		diag_warn("interrupted: nobody read the rest of the recording");
		return EXIT_LOST;
	}
	return diag_error(EXIT_SYSTEM, "cannot go on recording to %s: %s; %s", r->done.path,
			  strerror(-r->error),
			  r->done.records ? "what was recorded until then can be replayed"
					  : "nothing was recorded");
}

static int run(int argc, char **argv)
{
	bool is_stdout = path && !strcmp(path, "-");
	struct recorder r = { .done.path = is_stdout ? "stdout" : path };
	struct verb verb = {
		.name = "record",
		.report = &report_record,
		.report_opts = &r.done,
		.is_silent = true,
		.needs_events = true,
		.max_overhead_ppm = SESSION_NETPOLL_PPM, /* or netpoll would not see it replayed */
		.want = { .kinds = kinds_wanted(),
			  .want_switches = true,
			  .want_goroutines = true,
			  .want_names = true,
			  .want_stacks = true,
			  .want_limits = true,
			  .want_waits = true },
		.tap = &tap,
		.tap_arg = &r,
	};
	int code;

	if (!path) {
		diag_error(EXIT_USAGE, "record: which file? -o FILE is missing");
		return EXIT_USAGE;
	}
	if (max_bytes && max_bytes < FILE_BYTES_MIN)
		return diag_error(EXIT_USAGE, "--max-size: at least %uK", FILE_BYTES_MIN >> 10);
	code = stdout_take(&r);
	if (code != EXIT_FINE)
		return code;
	if (all)
		diag_warn("warm and hot probes are armed, too: each call and each switch of "
			  "goroutines pays for a trap, until --max-overhead sheds them");
	code = session_main(&verb, argc, argv);
	if (r.out_fd >= 0)
		close(r.out_fd);
	return recorded(&r, code);
}

static const struct opt opts[] = {
	SESSION_OPTS_OF("1s", SESSION_NETPOLL_SHARE),
	{ "output", 'o', OPT_TEXT, "FILE", "the recording; -: stdout", &path },
	{ "max-size", 0, OPT_SIZE, "SIZE", "end before the file is larger: 64M", &max_bytes },
	{ "force", 0, OPT_FLAG, NULL, "empty a file that is there already", &force },
	{ "all", 0, OPT_FLAG, NULL, "also probes on each call and each switch of goroutines",
	  &all },
	{ NULL, 0, OPT_FLAG, NULL, NULL, NULL },
};

const struct cmd cmd_record = {
	.name = "record",
	.args = "PID | -- COMMAND...",
	.help = "what the other reports are made from, into a file",
	.opts = opts,
	.takes_command = true,
	.run = run,
};

/* SPDX-License-Identifier: MIT */
/*
 * columns.c - see columns.h. On 80 columns:
 *
 *	----------------- threads ------------------ - Ps -- --- Gs --- hand-off thr
 *	all blk sysc hst run spn pol idl lck sys fgn bsy idl all rq net /s   p99 new
 *	106  97    0   0   3   0   1   4   0   1   0   2   0 101  0   0 12  86us   0
 */
#include <string.h>

#include "columns.h"

struct column_desc {
	const char *brief, *word; /* short and long head */
	const char *group;        /* head above both */
	unsigned int importance;  /* the lowest goes first */
};

enum column {
	C_THREADS,
	C_BLOCKED,
	C_SYSCALL,
	C_HOSTAGE,
	C_RUNNING,
	C_SPINNING,
	C_POLLING,
	C_IDLE,
	C_LOCKED,
	C_SYSTEM,
	C_FOREIGN,
	C_P_BUSY,
	C_P_IDLE,
	C_GS,
	C_RUNQ,
	C_NETPOLL,
	C_HANDOFFS,
	C_P99,
	C_NEW,
	C_COUNT
};
_Static_assert(C_COUNT <= COLUMNS_MAX, "columns");

static const struct column_desc desc[C_COUNT] = {
	[C_THREADS] = { "all", "threads", "threads", 19 },
	[C_BLOCKED] = { "blk", "blocked", "threads", 20 },
	[C_SYSCALL] = { "sysc", "syscall", "threads", 11 },
	[C_HOSTAGE] = { "hst", "hostage", "threads", 13 },
	[C_RUNNING] = { "run", "running", "threads", 16 },
	[C_SPINNING] = { "spn", "spinning", "threads", 5 },
	[C_POLLING] = { "pol", "polling", "threads", 6 },
	[C_IDLE] = { "idl", "idle", "threads", 14 },
	[C_LOCKED] = { "lck", "locked", "threads", 4 },
	[C_SYSTEM] = { "sys", "system", "threads", 2 },
	[C_FOREIGN] = { "fgn", "foreign", "threads", 1 },
	[C_P_BUSY] = { "bsy", "busy", "Ps", 15 },
	[C_P_IDLE] = { "idl", "idle", "Ps", 7 },
	[C_GS] = { "all", "goroutines", "Gs", 9 },
	[C_RUNQ] = { "rq", "runq", "Gs", 12 },
	[C_NETPOLL] = { "net", "netpoll", "Gs", 8 },
	[C_HANDOFFS] = { "/s", "hand-offs/s", "hand-off", 18 },
	[C_P99] = { "p99", "p99", "hand-off", 10 },
	[C_NEW] = { "new", "new/s", "thr", 17 },
};

/* Names where no group stands above them. */
static const char *const full_name[C_COUNT] = {
	[C_P_BUSY] = "Ps busy",   [C_P_IDLE] = "Ps idle",    [C_RUNQ] = "run queue",
	[C_P99] = "hand-off p99", [C_NEW] = "new threads/s",
};

static const char *head_of(const struct columns *c, int i)
{
	return c->is_long ? desc[i].word : desc[i].brief;
}

static void read_rates(struct cells *c, const struct model *m, const struct view_head *h)
{
	const struct model_snap *now = model_snap(m), *before = model_snap_before(m);
	const struct model_rates *r = model_rates(m);
	uint64_t ns = before ? now->time_ns - before->time_ns : 0;

	strcpy(c->text[C_HANDOFFS], "-");
	strcpy(c->text[C_NEW], "-");
	if (ns) {
		fmt_rate(c->text[C_HANDOFFS], now->handoffs - before->handoffs, ns);
		fmt_rate(c->text[C_NEW], now->threads_made - before->threads_made, ns);
	}
	if (h->armed == 0)
		strcpy(c->text[C_P99], "?");
	else if (r->handoff_ns.n == 0)
		strcpy(c->text[C_P99], "-");
	else
		fmt_duration(c->text[C_P99], hist_quantile(&r->handoff_ns, 0.99));
}

void columns_read(struct cells *c, const struct model *m, const struct view_head *h)
{
	const struct model_snap *s = model_snap(m);
	static const enum grt_mstate state[C_COUNT] = {
		[C_BLOCKED] = GRT_MS_blocked,   [C_SYSCALL] = GRT_MS_syscall,
		[C_HOSTAGE] = GRT_MS_hostage,   [C_RUNNING] = GRT_MS_running,
		[C_SPINNING] = GRT_MS_spinning, [C_POLLING] = GRT_MS_polling,
		[C_IDLE] = GRT_MS_idle,         [C_LOCKED] = GRT_MS_locked,
		[C_SYSTEM] = GRT_MS_system,     [C_FOREIGN] = GRT_MS_foreign,
	};

	for (int i = C_BLOCKED; i <= C_FOREIGN; i++)
		fmt_count(c->text[i], s->count[state[i]]);
	fmt_count(c->text[C_THREADS], s->threads);
	fmt_count(c->text[C_P_BUSY], s->procs_busy);
	fmt_count(c->text[C_P_IDLE], s->procs_idle);
	fmt_count(c->text[C_GS], s->goroutines);
	fmt_count(c->text[C_RUNQ], s->runq);
	fmt_count(c->text[C_NETPOLL], s->netpoll_parked);
	read_rates(c, m, h);
}

bool columns_hold(const struct columns *c, const struct cells *cells)
{
	for (int i = 0; i < C_COUNT; i++)
		if (c->is_shown[i] && strlen(cells->text[i]) > c->width[i])
			return false;
	return true;
}

static unsigned int total_width(const struct columns *c)
{
	unsigned int total = 0;

	for (int i = 0; i < C_COUNT; i++)
		if (c->is_shown[i])
			total += c->width[i] + (total != 0);
	return total;
}

static void set_widths(struct columns *c, const unsigned int *least)
{
	for (int i = 0; i < C_COUNT; i++) {
		unsigned int head = (unsigned int)strlen(head_of(c, i));

		c->is_shown[i] = true;
		c->width[i] = head > least[i] ? head : least[i];
	}
}

static void drop_least(struct columns *c)
{
	int least = -1;

	for (int i = 0; i < C_COUNT; i++)
		if (c->is_shown[i] && (least < 0 || desc[i].importance < desc[least].importance))
			least = i;
	if (least >= 0)
		c->is_shown[least] = false;
}

void columns_fit(struct columns *c, const struct cells *cells)
{
	static const unsigned int usual[C_COUNT] = { [C_P99] = 5 };
	unsigned int least[COLUMNS_MAX];

	for (int i = 0; i < C_COUNT; i++) {
		unsigned int text = (unsigned int)strlen(cells->text[i]);

		least[i] = text > usual[i] ? text : usual[i];
		if (least[i] < c->width[i] && !c->is_long)
			least[i] = c->width[i];
	}
	c->is_long = true;
	set_widths(c, least);
	if (total_width(c) <= c->screen)
		return;
	c->is_long = false;
	set_widths(c, least);
	while (total_width(c) > c->screen && total_width(c) > 0)
		drop_least(c);
}

/* "--- Gs ---", as wide as the columns below it; a short form where not even the name fits. */
static void put_group(const char *name, unsigned int width, FILE *out)
{
	unsigned int n = (unsigned int)strlen(name), dashes;

	if (n > width)
		name = !strcmp(name, "hand-off") ? "ho" : "thr";
	if (n + 4 > width) {
		fprintf(out, "%*.*s", (int)width, (int)width, name);
		return;
	}
	dashes = width - n - 2;
	for (unsigned int i = 0; i < dashes / 2; i++)
		fputc('-', out);
	fprintf(out, " %s ", name);
	for (unsigned int i = dashes / 2; i < dashes; i++)
		fputc('-', out);
}

void columns_put_heads(const struct columns *c, FILE *out)
{
	const char *sep = "";

	for (int i = 0; i < C_COUNT;) {
		const char *group = desc[i].group;
		unsigned int width = 0;

		for (; i < C_COUNT && strcmp(desc[i].group, group) == 0; i++)
			if (c->is_shown[i])
				width += c->width[i] + (width != 0);
		if (!width)
			continue;
		fputs(sep, out);
		put_group(group, width, out);
		sep = " ";
	}
	fputc('\n', out);
	sep = "";
	for (int i = 0; i < C_COUNT; i++) {
		if (!c->is_shown[i])
			continue;
		fprintf(out, "%s%*s", sep, (int)c->width[i], head_of(c, i));
		sep = " ";
	}
	fputc('\n', out);
}

void columns_put_row(const struct columns *c, const struct cells *cells, FILE *out)
{
	const char *sep = "";

	for (int i = 0; i < C_COUNT; i++) {
		if (!c->is_shown[i])
			continue;
		fprintf(out, "%s%*s", sep, (int)c->width[i], cells->text[i]);
		sep = " ";
	}
	fputc('\n', out);
}

unsigned int columns_hidden(const struct columns *c, char *buf, size_t bytes)
{
	unsigned int n = 0;
	size_t at = 0;

	buf[0] = '\0';
	for (int i = 0; i < C_COUNT; i++) {
		if (c->is_shown[i])
			continue;
		at += (size_t)snprintf(buf + at, bytes - at, "%s%s", n ? ", " : "",
				       full_name[i] ? full_name[i] : desc[i].word);
		if (at >= bytes)
			at = bytes - 1;
		n++;
	}
	return n;
}

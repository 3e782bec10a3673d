/* SPDX-License-Identifier: MIT */
/*
 * schedtrace.c - see schedtrace.h. Field by field as Go 1.27 prints them, so that what parses Go's lines
 * parses ours:
 *
 * SCHED 101ms: gomaxprocs=2 idleprocs=0 threads=9 spinningthreads=0 needspinning=1 idlethreads=0 runqueue=0 [ 0 1 ] schedticks=[ 10 7 ]
 *
 * Fields that belong to the garbage collector or to stopping the world are constant here.
 */
#include "schedtrace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lock.h"
#include "mset.h"
#include "pset.h"
#include "runq.h"
#include "take.h"

/* Looks at the fields of others without their locks: what it prints may be a moment old. */
#define RACY __attribute__((no_sanitize_thread))

static struct {
	i64 every_ns;
	bool detail;
	i64 first_ns, next_ns;
	char buf[4096]; /* sysmon, or the thread that dies */
	size_t len;
} trace;

static void flush(void)
{
	size_t done = 0;

	while (done < trace.len) {
		ssize_t n = write(STDERR_FILENO, trace.buf + done, trace.len - done);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	trace.len = 0;
}

__attribute__((format(printf, 1, 2))) static void put(const char *fmt, ...)
{
	va_list ap;
	int n;

	if (trace.len > sizeof(trace.buf) - 512)
		flush();
	va_start(ap, fmt);
	n = vsnprintf(trace.buf + trace.len, sizeof(trace.buf) - trace.len, fmt, ap);
	va_end(ap);
	if (n > 0)
		trace.len += (size_t)n;
}

/* "7", or Go's word for none. */
static const char *id_text(char buf[24], const void *present, u64 id)
{
	if (!present)
		return "nil";
	snprintf(buf, 24, "%lu", (unsigned long)id);
	return buf;
}

static u64 option(const char *godebug, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = godebug; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (strncmp(at, name, len) == 0 && at[len] == '=')
			return strtoull(at + len + 1, NULL, 10);
	}
	return 0;
}

void schedtrace_init(const char *godebug)
{
	trace.every_ns = (i64)option(godebug, "schedtrace") * 1000000;
	trace.detail = option(godebug, "scheddetail") > 0;
}

bool schedtrace_is_on(void)
{
	return trace.every_ns > 0;
}

static void print_queues(void)
{
	put(" [");
	for (u32 i = 0; i < sched.gomaxprocs; i++)
		put(" %u", runq_len(&allp[i]->runq));
	put(" ] schedticks=[");
	for (u32 i = 0; i < sched.gomaxprocs; i++)
		put(" %u", __atomic_load_n(&allp[i]->schedtick, __ATOMIC_RELAXED));
	put(" ]\n");
}

RACY static void print_p(const struct p *p)
{
	const struct m *m = p_m(p);
	char id[24];

	put("  P%u: status=%u schedtick=%u syscalltick=%lu m=%s runqsize=%u gfreecnt=%u timerslen=%u\n",
	    p->id, p->status, p->schedtick, (unsigned long)p->syscalltick,
	    id_text(id, m, m ? m->id : 0), runq_len(&p->runq), p->gfree.size, p->timers.len);
}

static bool m_lost_its_p(const struct m *m)
{
	return GRT_TAKE_KIND(__atomic_load_n(&m->take, __ATOMIC_ACQUIRE)) == GRT_TAKE_TAKEN;
}

RACY static void print_m(const struct m *m)
{
	const struct p *p = m_lost_its_p(m) ? NULL : m_p(m);
	const struct g *g = __atomic_load_n(&m->curg, __ATOMIC_ACQUIRE);
	char p_id[24], g_id[24], locked[24];

	put("  M%lu: p=%s curg=%s mallocing=0 throwing=0 preemptoff= locks=%u dying=0 "
	    "spinning=%s blocked=%s lockedg=%s\n",
	    (unsigned long)m->id, id_text(p_id, p, p ? p->id : 0),
	    id_text(g_id, g, g ? g->goid : 0), m->nlocks, m->spinning ? "true" : "false",
	    m->blocked_in_note ? "true" : "false",
	    id_text(locked, m->lockedg, m->lockedg ? m->lockedg->goid : 0));
}

RACY static void print_g(const struct g *g)
{
	u32 status = __atomic_load_n(&g->status, __ATOMIC_ACQUIRE);
	const struct m *m = g->m, *locked = g->lockedm;
	char m_id[24], locked_id[24];

	if (status == GRT_G_RUNNING && m && call_word_is_in(m_call(m)))
		status = GRT_G_SYSCALL;
	put("  G%lu: status=%u(%s) m=%s lockedm=%s\n", (unsigned long)g->goid, status,
	    waitreason_text[g->waitreason], id_text(m_id, m, m ? m->id : 0),
	    id_text(locked_id, locked, locked ? locked->id : 0));
}

/* Newest first, as Go's list of Ms is linked: ids are not in the order of slots once Ms have ended. */
RACY static void print_ms(void)
{
	i64 below = sched.mnext;

	while (below > 0) {
		const struct m *newest = NULL;

		for (u32 i = 0; i < sched.allm_len; i++) {
			const struct m *m = allm[i];

			if (m->status != GRT_M_DEAD && (i64)m->id < below &&
			    (!newest || m->id > newest->id))
				newest = m;
		}
		if (!newest)
			return;
		print_m(newest);
		below = (i64)newest->id;
	}
}

RACY static void print(i64 now_ns, bool detail)
{
	put("SCHED %ldms: gomaxprocs=%u idleprocs=%u threads=%ld spinningthreads=%u needspinning=%u "
	    "idlethreads=%u runqueue=%u",
	    (long)((now_ns - trace.first_ns) / 1000000), sched.gomaxprocs, sched.npidle,
	    (long)mset_count(), sched.nmspinning, sched.needspinning, sched.nmidle,
	    sched.runq.size);
	if (!detail) {
		print_queues();
		flush();
		return;
	}
	put(" gcwaiting=false nmidlelocked=%d stopwait=0 sysmonwait=%s\n", sched.nmidlelocked,
	    sched.sysmonwait ? "true" : "false");
	for (u32 i = 0; i < sched.gomaxprocs; i++)
		print_p(allp[i]);
	print_ms();
	for (u64 i = 0; i < __atomic_load_n(&sched.allg_len, __ATOMIC_ACQUIRE); i++)
		print_g(allgs[i]);
	flush();
}

void schedtrace_tick(i64 now_ns)
{
	if (!schedtrace_is_on() || now_ns < trace.next_ns)
		return;
	if (trace.first_ns == 0)
		trace.first_ns = now_ns;
	trace.next_ns = now_ns + trace.every_ns;
	lock_acquire(&sched.lock);
	print(now_ns, trace.detail);
	lock_release(&sched.lock);
}

void sched_dump(void)
{
	if (trace.first_ns == 0)
		trace.first_ns = sched.start_ns;
	if (allp && allm)
		print(clock_ns(), true);
}

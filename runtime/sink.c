/* SPDX-License-Identifier: MIT */
/*
 * sink.c - see sink.h and grt/trace.h.
 *
 * One ring per M, written by its thread alone, read by the one reader: head and tail are each stored by
 * one side (release) and read by the other (acquire). Rings belong to slots of allm and outlive their
 * threads, so that nothing of a thread that has ended is lost; a ring is made when its M starts or
 * when the sink is opened, never when a probe fires. Threads that the runtime does not own share one
 * ring behind a lock.
 *
 * A record that finds no room is counted in its ring, and told by a record of kind GRT_K_LOST.
 *
 * Opening raises the semaphores of the chosen probes, atomically, since the kernel may raise the same
 * words for a tracer at the same time; closing lowers them. A probe that is inside its function when the
 * sink closes may still write: rings are kept and used again by the next open, never freed.
 */
#include "sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "include/grt/trace.h"
#include "lock.h"
#include "probes.h"

#define RING_RECORDS 4096u
#define RING_RECORDS_MAX (1u << 24)

struct sink_ring {
	struct sink_ring *next; /* L  rings.lock; set once */
	u64 head;               /* W  reader */
	u64 tail;               /* W  writer */
	u64 lost;               /* W  writer */
	u64 lost_told;          /* reader's own */
	u32 mask;               /* I */
	u32 tid;                /* W  writer: the thread that writes it now */
	struct grt_rec rec[];
};

static struct {
	struct lock lock;       /* of the list, and of writers without an M */
	struct sink_ring *list; /* L  lock */
	struct sink_ring *foreign; /* A */
	u64 kinds;              /* A  0: closed */
	u32 records;            /* L  lock: capacity of a ring */
} rings = { .lock = { 0 } };

static struct sink_ring *ring_new(u32 records)
{
	size_t bytes = sizeof(struct sink_ring) + records * sizeof(struct grt_rec);
	struct sink_ring *r = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (r == MAP_FAILED)
		return NULL;
	r->mask = records - 1;
	r->next = rings.list;
	__atomic_store_n(&rings.list, r, __ATOMIC_RELEASE);
	return r;
}

/* Only the owner of the ring comes here. */
static void ring_put(struct sink_ring *r, const struct grt_rec *rec)
{
	u64 tail = r->tail;

	if (tail - __atomic_load_n(&r->head, __ATOMIC_ACQUIRE) > r->mask) {
		__atomic_store_n(&r->lost, r->lost + 1, __ATOMIC_RELAXED);
		return;
	}
	r->rec[tail & r->mask] = *rec;
	__atomic_store_n(&r->tail, tail + 1, __ATOMIC_RELEASE);
}

static const struct grt_rec *ring_peek(const struct sink_ring *r)
{
	if (r->head == __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE))
		return NULL;
	return &r->rec[r->head & r->mask];
}

static void ring_pop(struct sink_ring *r)
{
	__atomic_store_n(&r->head, r->head + 1, __ATOMIC_RELEASE);
}

static void on_probe(u16 kind, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	struct grt_rec rec = { .kind = kind, .arg = { a, b, c, d, e, f } };
	struct sink_ring *own;
	struct m *m = m_self();

	if (!(__atomic_load_n(&rings.kinds, __ATOMIC_ACQUIRE) >> kind & 1))
		return;
	rec.time_ns = (u64)clock_ns();
	if (m && (own = __atomic_load_n(&m->sink, __ATOMIC_ACQUIRE))) {
		rec.tid = (u32)m->tid;
		ring_put(own, &rec);
		return;
	}
	lock_word_acquire(&rings.lock.word);
	if (rings.foreign)
		ring_put(rings.foreign, &rec);
	lock_word_release(&rings.lock.word);
}

void sink_thread_start(struct m *m)
{
	lock_word_acquire(&rings.lock.word);
	if (__atomic_load_n(&rings.kinds, __ATOMIC_RELAXED) && !m->sink)
		__atomic_store_n(&m->sink, ring_new(rings.records), __ATOMIC_RELEASE);
	lock_word_release(&rings.lock.word);
}

void sink_thread_stop(struct m *m)
{
	/* What its thread wrote stays in the list until it is read. */
	__atomic_store_n(&m->sink, NULL, __ATOMIC_RELEASE);
}

/* Ms that are there already get their rings now; each looks at m->sink at its next probe. */
static void rings_for_all(void)
{
	u32 n = __atomic_load_n(&sched.allm_len, __ATOMIC_ACQUIRE);

	for (u32 i = 0; i < n; i++) {
		struct m *m = allm[i];

		if (__atomic_load_n(&m->status, __ATOMIC_ACQUIRE) != GRT_M_DEAD &&
		    !__atomic_load_n(&m->sink, __ATOMIC_RELAXED))
			__atomic_store_n(&m->sink, ring_new(rings.records), __ATOMIC_RELEASE);
	}
}

static void forget_unread(void)
{
	for (struct sink_ring *r = rings.list; r; r = r->next) {
		__atomic_store_n(&r->head, __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE),
				 __ATOMIC_RELEASE);
		r->lost_told = __atomic_load_n(&r->lost, __ATOMIC_RELAXED);
	}
}

int grt_sink_open(uint64_t kinds, size_t ring_records)
{
	u32 records = RING_RECORDS;
	int rc = 0;

	if (ring_records > RING_RECORDS_MAX)
		return -ENOMEM;
	while (ring_records > records || (ring_records && ring_records <= records / 2 && records > 2))
		records = ring_records > records ? records * 2 : records / 2;
	lock_word_acquire(&rings.lock.word);
	if (rings.kinds != 0) {
		rc = -EBUSY;
	} else {
		rings.records = records;
		forget_unread();
		if (!rings.foreign)
			rings.foreign = ring_new(records);
		rc = rings.foreign ? 0 : -ENOMEM;
		if (rc == 0) {
			rings_for_all();
			__atomic_store_n(&probe_sink, on_probe, __ATOMIC_RELEASE);
			__atomic_store_n(&rings.kinds, kinds & ~1ull, __ATOMIC_RELEASE);
		}
	}
	lock_word_release(&rings.lock.word);
	if (rc == 0)
		probes_count(kinds & ~1ull, +1);
	return rc;
}

int grt_sink_close(void)
{
	u64 kinds = __atomic_exchange_n(&rings.kinds, 0, __ATOMIC_ACQ_REL);

	if (kinds == 0)
		return -EBADF;
	probes_count(kinds, -1);
	return 0;
}

/* A ring that has lost records since the last time: tell it before its next record. */
static bool tell_loss(struct sink_ring *r, struct grt_rec *ret)
{
	u64 lost = __atomic_load_n(&r->lost, __ATOMIC_RELAXED);
	const struct grt_rec *next = ring_peek(r);

	if (lost == r->lost_told)
		return false;
	*ret = (struct grt_rec){ .kind = GRT_K_LOST,
				 .time_ns = next ? next->time_ns : (u64)clock_ns(),
				 .arg = { GRT_LOSS_RING, lost - r->lost_told } };
	r->lost_told = lost;
	return true;
}

ssize_t grt_sink_read(struct grt_rec *recs, size_t n)
{
	size_t got = 0;

	for (struct sink_ring *r = __atomic_load_n(&rings.list, __ATOMIC_ACQUIRE); r; r = r->next)
		if (got < n && tell_loss(r, &recs[got]))
			got++;
	while (got < n) {
		struct sink_ring *oldest = NULL;
		const struct grt_rec *first = NULL;

		for (struct sink_ring *r = __atomic_load_n(&rings.list, __ATOMIC_ACQUIRE); r;
		     r = r->next) {
			const struct grt_rec *next = ring_peek(r);

			if (next && (!first || next->time_ns < first->time_ns)) {
				first = next;
				oldest = r;
			}
		}
		if (!oldest)
			break;
		recs[got++] = *first;
		ring_pop(oldest);
	}
	return (ssize_t)got;
}

void grt_observer_mark(void)
{
	struct m *m = m_self();

	if (m)
		__atomic_store_n(&m->is_observer, 1, __ATOMIC_RELAXED);
}

/* SPDX-License-Identifier: MIT */
/*
 * sink.c - see sink.h and grt/trace.h.
 *
 * One ring per slot of allm, written by the thread of its M alone, read by the one reader: head and
 * tail are each stored by one side (release) and read by the other (acquire). A ring is made when
 * an M starts or when the sink is opened, never when a probe fires. It outlives its thread: nothing
 * is lost that an ended thread has written, and the next thread of the slot goes on behind it.
 * Threads that the runtime does not own share one ring behind a lock.
 *
 * A record that finds no room is counted. The count is told where the records are missing: by the
 * writer before its next record that fits, or by the reader when it has drained the ring. Both take
 * the count by exchange, so that it is told once:
 *
 *     writer: no room, lost = 1           | reader: pops, down to the last record
 *     writer: exchange gives 1, stores    |
 *             "lost 1", then its record   | reader: not drained; pops "lost 1", the record
 *
 *     writer: no room, lost = 1           | reader: pops the last record
 *                                         | reader: exchange gives 1, tells it
 *     writer: exchange gives 0, stores    |
 *
 * Opening raises the semaphores of the chosen probes; closing lowers them. A probe that is inside
 * its function when the sink closes may still write: rings are kept and used again by the next
 * open, never freed.
 *
 * Records come out in the order of time, but for one that its thread had stamped and not yet stored
 * when the reader passed.
 *
 * Rejected: one shared ring (all threads would meet on its tail); waiting when it is full (the
 * scheduler would wait for its observer).
 */
#include "sink.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "include/grt/trace.h"
#include "lock.h"
#include "probes.h"

#define RING_RECORDS 4096u
#define RING_RECORDS_MIN 2u /* a loss and the record after it */
#define RING_RECORDS_MAX (1u << 24)

struct sink_ring {
	struct sink_ring *next; /* I  once it is on the list */
	u64 head;               /* W  reader */
	u64 tail;               /* W  writer */
	u64 lost;               /* A  not told yet */
	u32 limit;              /* W  opener: records that it may hold */
	u32 mask;               /* I */
	struct grt_rec rec[];
};

static struct {
	struct lock lock;          /* of the list, and of writers without an M; above all others */
	struct sink_ring *list;    /* W  lock */
	struct sink_ring *foreign; /* L  lock */
	u64 kinds;                 /* A  0: closed */
	u32 records;               /* L  lock: capacity of a ring */
	u64 read_ns;               /* reader's own: time of the last record it gave out */
} rings;

#define PROBE(nr, name, temp, nargs, args, doc) | 1ull << (nr)
static const u64 KINDS_ALL = 0
#include "probes.def"
	;
#undef PROBE

/* rings.lock held, here and in the next. */
static struct sink_ring *ring_new(void)
{
	size_t bytes = sizeof(struct sink_ring) + rings.records * sizeof(struct grt_rec);
	struct sink_ring *r = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (r == MAP_FAILED)
		return NULL;
	r->mask = rings.records - 1;
	r->limit = rings.records;
	r->next = rings.list;
	__atomic_store_n(&rings.list, r, __ATOMIC_RELEASE);
	return r;
}

/*
 * A ring of the capacity that the opener asked for: the writer's own, or a larger one. The old one
 * is left alone then, since the writer may be in the middle of a record there.
 */
static struct sink_ring *ring_fit(struct sink_ring *own)
{
	if (!own || own->mask < rings.records - 1)
		return ring_new();
	__atomic_store_n(&own->limit, rings.records, __ATOMIC_RELAXED);
	return own;
}

static void ring_store(struct sink_ring *r, const struct grt_rec *rec)
{
	u64 tail = r->tail;

	r->rec[tail & r->mask] = *rec;
	__atomic_store_n(&r->tail, tail + 1, __ATOMIC_RELEASE);
}

/* The writer. */
static void ring_put(struct sink_ring *r, const struct grt_rec *rec)
{
	u64 used = r->tail - __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);
	u64 lost = __atomic_load_n(&r->lost, __ATOMIC_RELAXED);

	if (used + 1 + (lost != 0) > __atomic_load_n(&r->limit, __ATOMIC_RELAXED)) {
		__atomic_add_fetch(&r->lost, 1, __ATOMIC_RELAXED);
		return;
	}
	if (lost != 0 && (lost = __atomic_exchange_n(&r->lost, 0, __ATOMIC_RELAXED)) != 0) {
		const struct grt_rec loss = { .kind = GRT_K_LOST,
					      .tid = rec->tid,
					      .time_ns = rec->time_ns,
					      .arg = { GRT_LOSS_RING, lost } };

		ring_store(r, &loss);
	}
	ring_store(r, rec);
}

/* The reader: what it would get next. */
static const struct grt_rec *ring_peek(const struct sink_ring *r)
{
	if (r->head == __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE))
		return NULL;
	return &r->rec[r->head & r->mask];
}

static void ring_pop(struct sink_ring *r, struct grt_rec *ret)
{
	*ret = r->rec[r->head & r->mask];
	rings.read_ns = ret->time_ns;
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
	rec.tid = (u32)syscall(SYS_gettid);
	lock_word_acquire(&rings.lock.word);
	if (rings.foreign)
		ring_put(rings.foreign, &rec);
	lock_word_release(&rings.lock.word);
}

void sink_thread_start(struct m *m)
{
	lock_word_acquire(&rings.lock.word);
	if (__atomic_load_n(&rings.kinds, __ATOMIC_RELAXED))
		__atomic_store_n(&m->sink, ring_fit(m->sink), __ATOMIC_RELEASE);
	lock_word_release(&rings.lock.word);
}

/* Ms that are there already get their rings now; each looks at m->sink at its next probe. */
static void rings_for_all(void)
{
	u32 n = __atomic_load_n(&sched.allm_len, __ATOMIC_ACQUIRE);

	for (u32 i = 0; i < n; i++) {
		struct m *m = allm[i];

		if (__atomic_load_n(&m->status, __ATOMIC_ACQUIRE) != GRT_M_DEAD)
			__atomic_store_n(&m->sink, ring_fit(m->sink), __ATOMIC_RELEASE);
	}
}

static void forget_unread(void)
{
	for (struct sink_ring *r = rings.list; r; r = r->next) {
		__atomic_store_n(&r->head, __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE),
				 __ATOMIC_RELEASE);
		__atomic_store_n(&r->lost, 0, __ATOMIC_RELAXED);
	}
}

static u32 capacity_of(size_t ring_records)
{
	u32 records = RING_RECORDS_MIN;

	if (ring_records == 0)
		return RING_RECORDS;
	while (records < ring_records)
		records *= 2;
	return records;
}

static int open_locked(u64 kinds, u32 records)
{
	if (__atomic_load_n(&rings.kinds, __ATOMIC_RELAXED) != 0)
		return -EBUSY;
	rings.records = records;
	forget_unread();
	rings.foreign = ring_fit(rings.foreign);
	if (!rings.foreign)
		return -ENOMEM;
	rings_for_all();
	__atomic_store_n(&probe_sink, on_probe, __ATOMIC_RELEASE);
	__atomic_store_n(&rings.kinds, kinds, __ATOMIC_RELEASE);
	return 0;
}

int grt_sink_open(uint64_t kinds, size_t ring_records)
{
	int rc;

	kinds &= KINDS_ALL;
	if (kinds == 0)
		return -EINVAL;
	if (ring_records > RING_RECORDS_MAX)
		return -ENOMEM;
	lock_word_acquire(&rings.lock.word);
	rc = open_locked(kinds, capacity_of(ring_records));
	lock_word_release(&rings.lock.word);
	if (rc == 0)
		probes_count(kinds, +1);
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

/* Drained, and something is missing at its end. */
static bool tell_loss(struct sink_ring *r, struct grt_rec *ret)
{
	u64 lost;

	if (__atomic_load_n(&r->lost, __ATOMIC_RELAXED) == 0 || ring_peek(r))
		return false;
	lost = __atomic_exchange_n(&r->lost, 0, __ATOMIC_RELAXED);
	*ret = (struct grt_rec){ .kind = GRT_K_LOST,
				 .time_ns = rings.read_ns,
				 .arg = { GRT_LOSS_RING, lost } };
	return lost != 0;
}

/* The ring with the oldest record; up to *ret_until that is so after a pop as well. */
static struct sink_ring *ring_oldest(u64 *ret_until)
{
	struct sink_ring *oldest = NULL;
	u64 first = UINT64_MAX;

	*ret_until = UINT64_MAX;
	for (struct sink_ring *r = __atomic_load_n(&rings.list, __ATOMIC_ACQUIRE); r; r = r->next) {
		const struct grt_rec *next = ring_peek(r);

		if (!next)
			continue;
		if (next->time_ns < first) {
			*ret_until = first;
			first = next->time_ns;
			oldest = r;
		} else if (next->time_ns < *ret_until) {
			*ret_until = next->time_ns;
		}
	}
	return oldest;
}

ssize_t grt_sink_read(struct grt_rec *recs, size_t n)
{
	const struct grt_rec *next;
	struct sink_ring *r;
	size_t got = 0;
	u64 until;

	while (got < n && (r = ring_oldest(&until))) {
		while (got < n && (next = ring_peek(r)) && next->time_ns <= until)
			ring_pop(r, &recs[got++]);
		if (got < n && tell_loss(r, &recs[got]))
			got++;
	}
	/* Rings that an earlier call has drained, with no room left to tell what they lost. */
	for (r = __atomic_load_n(&rings.list, __ATOMIC_ACQUIRE); r && got < n; r = r->next)
		if (tell_loss(r, &recs[got]))
			got++;
	return (ssize_t)got;
}

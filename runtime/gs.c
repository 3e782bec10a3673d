/* SPDX-License-Identifier: MIT */
/* gs.c - see gs.h. */
#include "gs.h"

#include <sys/mman.h>

#include "fatal.h"
#include "lock.h"
#include "runq.h"
#include "stack.h"

struct g **allgs;

void gs_init(size_t stack_bytes)
{
	stack_init(stack_bytes);
	allgs = mmap(NULL, ALLG_MAX * sizeof(struct g *), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	MUST(allgs != MAP_FAILED, "gs_init: no address space for allgs");
	lock_init(&sched.g_lock, RANK_G);
	sched.goid_next = 1;
}

static bool allgs_add(struct g *g)
{
	bool fits;

	lock_acquire(&sched.g_lock);
	fits = sched.allg_len < ALLG_MAX;
	if (fits) {
		g->index = sched.allg_len;
		allgs[g->index] = g;
		__atomic_store_n(&sched.allg_len, sched.allg_len + 1, __ATOMIC_RELEASE);
	}
	lock_release(&sched.g_lock);
	return fits;
}

static struct g *g_make(void)
{
	struct stack s;
	struct g *g;

	if (!stack_new(&s))
		return NULL;
	g = (struct g *)(((uintptr_t)s.hi - sizeof(*g)) & ~(uintptr_t)63);
	g->stack.lo = s.lo;
	g->stack.hi = (char *)g;
	g->status = GRT_G_DEAD;
	return allgs_add(g) ? g : NULL;
}

static void gfree_move(struct gqueue *to, struct gqueue *from, u32 n)
{
	while (n-- > 0 && from->head)
		gqueue_push_front(to, gqueue_pop(from));
}

static u64 goid_take(struct p *p)
{
	if (!p)
		return __atomic_fetch_add(&sched.goid_next, 1, __ATOMIC_RELAXED);
	if (p->goid_next == p->goid_end) {
		p->goid_next = __atomic_fetch_add(&sched.goid_next, GOID_BATCH, __ATOMIC_RELAXED);
		p->goid_end = p->goid_next + GOID_BATCH;
	}
	return p->goid_next++;
}

static struct g *g_find_dead(struct p *p)
{
	struct g *g;

	if (p && p->gfree.head)
		return gqueue_pop(&p->gfree);
	if (__atomic_load_n(&sched.gfree.size, __ATOMIC_RELAXED) == 0)
		return NULL;
	lock_acquire(&sched.g_lock);
	g = gqueue_pop(&sched.gfree);
	if (p)
		gfree_move(&p->gfree, &sched.gfree, GFREE_LOCAL / 2);
	lock_release(&sched.g_lock);
	return g;
}

struct g *g_get(struct p *p)
{
	struct g *g = g_find_dead(p);

	if (!g)
		g = g_make();
	if (!g)
		return NULL;
	MUST(g->status == GRT_G_DEAD, "g_get: G%lu is alive", (unsigned long)g->goid);
	__atomic_store_n(&g->goid, goid_take(p), __ATOMIC_RELAXED);
	g->wait_fd = -1;
	g->saved_errno = 0;
	return g;
}

void g_put(struct p *p, struct g *g)
{
	if (!p) {
		lock_acquire(&sched.g_lock);
		gqueue_push_front(&sched.gfree, g);
		lock_release(&sched.g_lock);
		return;
	}
	gqueue_push_front(&p->gfree, g);
	if (p->gfree.size < GFREE_LOCAL)
		return;
	lock_acquire(&sched.g_lock);
	gfree_move(&sched.gfree, &p->gfree, GFREE_LOCAL / 2);
	lock_release(&sched.g_lock);
}

u64 gs_alive(void)
{
	u64 alive = __atomic_load_n(&sched.g_made_ext, __ATOMIC_RELAXED);

	for (u32 i = 0; i < sched.gomaxprocs; i++)
		alive += __atomic_load_n(&allp[i]->g_made, __ATOMIC_RELAXED) -
			 __atomic_load_n(&allp[i]->g_ended, __ATOMIC_RELAXED);
	return alive;
}

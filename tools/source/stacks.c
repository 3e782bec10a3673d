/* SPDX-License-Identifier: MIT */
/*
 * stacks.c - see stacks.h. Which threads, whether their stacks hold, and records of them. A pc is
 * named when it is first seen.
 */
#include "stacks.h"

#include <stdlib.h>
#include <string.h>

#include "../../bpf/mstate.h"
#include "../target/ksym.h"
#include "kstack.h"
#include "stack_walk.h"

#define PC_SLOTS 8192u /* a power of two; a pc that loses its place is looked up again */
#define NAME_BYTES 512
#define API_PREFIX "grt_" /* of libgrt's public functions, and of no others */
#define FLAGS_SHIFT 32
#define FLAGS_BITS 4

struct pc_slot {
	uint64_t pc; /* 0: free */
	bool is_system;
	bool is_api;   /* a function of libgrt, also as a part of the program */
	bool is_entry; /* the first one on a goroutine's stack */
};

struct stacks {
	const struct target *target;
	struct names *names;
	struct stack_walk *walk;
	struct ksym *ksym;
	bool is_ksym_tried;
	struct kstack *kstack; /* where there is no iterator to tell */
	bool has_told;
	struct pc_slot slot[PC_SLOTS], kernel_slot[PC_SLOTS];
	uint32_t losses;                     /* of maps, when slots were filled */
	bool has_range;                      /* the next two were asked for */
	uint64_t runtime_start, runtime_end; /* its code as a part of the program; 0: not known */
	struct stack_want *want;
	struct stack *stack;
	uint32_t n, cap;
	const struct thread_row *first; /* of the snapshot's list */
	int32_t *of;                    /* stack of each thread, -1: none */
	size_t of_cap, nof;
};

struct stacks *stacks_new(const struct target *t, struct names *names)
{
	struct stacks *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->target = t;
	s->names = names;
	s->walk = stack_walk_new(t, symname_maps(names_functions(names)));
	s->kstack = kstack_new();
	if (s->walk && s->kstack)
		return s;
	stacks_free(s);
	return NULL;
}

void stacks_free(struct stacks *s)
{
	if (!s)
		return;
	stack_walk_free(s->walk);
	kstack_free(s->kstack);
	ksym_close(s->ksym);
	free(s->want);
	free(s->stack);
	free(s->of);
	free(s);
}

static bool reserve(struct stacks *s, size_t threads)
{
	void *want, *stack, *of;
	size_t cap = threads + threads / 2 + 16;

	if (threads <= s->of_cap)
		return true;
	want = reallocarray(s->want, cap, sizeof(*s->want));
	if (want)
		s->want = want;
	stack = reallocarray(s->stack, cap, sizeof(*s->stack));
	if (stack)
		s->stack = stack;
	of = reallocarray(s->of, cap, sizeof(*s->of));
	if (of)
		s->of = of;
	if (!want || !stack || !of)
		return false;
	s->of_cap = cap;
	return true;
}

static bool state_is_wanted(uint64_t state)
{
	return state == GRT_MS_blocked || state == GRT_MS_syscall || state == GRT_MS_hostage ||
	       state == GRT_MS_foreign;
}

/* What the runtime saved, from the copy of the M that its row is made of. */
static void call_of(struct stack_want *w, const struct snapshot *snap, int m)
{
	const struct layout *l = snap->tables.layout;
	const struct m_view *v = &snap->tables.view[m];
	const char *copy = snap->tables.m.copy + (size_t)m * snap->tables.m.bytes;

	w->is_in_call = (v->call & GRT_CALL_IN) != 0;
	w->is_foreign = w->is_in_call && v->nr == GRT_NR_FOREIGN;
	w->call_pc = layout_get(&l->m_call_pc, copy);
	w->call_sp = layout_get(&l->m_call_sp, copy);
	w->call_fp = layout_get(&l->m_call_fp, copy);
}

/* Then it does not touch its stack from where it made the call outwards. */
static bool is_in_kernel_call(const struct m_view *m)
{
	return m && m->call & GRT_CALL_IN && m->nr != GRT_NR_FOREIGN;
}

static void choose(struct stacks *s, const struct snapshot *snap, const int *m_of)
{
	s->n = 0;
	for (size_t i = 0; i < snap->threads.n; i++) {
		const struct thread_row *t = &snap->threads.row[i];
		const struct m_view *m = m_of[i] >= 0 ? &snap->tables.view[m_of[i]] : NULL;
		bool is_torn = m && snap->is_torn[m_of[i]], is_running = !thread_is_asleep(t);
		struct grt_rec row;

		s->of[i] = -1;
		if (is_torn || (is_running && !is_in_kernel_call(m)))
			continue;
		snapshot_row(&row, m, t, false);
		if (!state_is_wanted(row.arg[2] & 0xff))
			continue;
		s->want[s->n] =
			(struct stack_want){ .t = t, .is_running = is_running, .m = m_of[i] };
		if (m)
			call_of(&s->want[s->n], snap, m_of[i]);
		s->of[i] = (int32_t)s->n++;
	}
}

bool stack_holds(const struct thread_row *before, const struct thread_row *after)
{
	return after && thread_is_asleep(after) && after->ip == before->ip &&
	       after->sp == before->sp && after->nr == before->nr && after->cpu == before->cpu &&
	       after->exec_start_ns == before->exec_start_ns;
}

static void kernel_copy(struct thread_row *to, const struct thread_row *from)
{
	to->nkernel = from->nkernel;
	memcpy(to->kernel, from->kernel, sizeof(to->kernel));
}

/* Whoever ran meanwhile has another stack now. One sleep has one kernel stack: the later look may tell it. */
static void drop_torn(struct stacks *s, struct snapshot *snap)
{
	struct threads_iter *iter = snap->deep ? snap->deep : snap->iter;
	int rc = iter ? threads_iter_read(iter, &snap->clock, &snap->again)
		      : threads_read_proc(s->target, &snap->clock, &snap->again);

	for (size_t i = 0; i < s->nof; i++) {
		struct thread_row *t = &snap->threads.row[i], *now;

		if (s->of[i] < 0 || s->want[s->of[i]].is_running)
			continue;
		now = rc < 0 ? NULL : thread_list_find(&snap->again, t->ns_tid);
		if (!stack_holds(t, now))
			s->of[i] = -1;
		else if (snap->deep)
			kernel_copy(t, now);
	}
}

/* Whoever works in the kernel must still be in the same call. */
static void drop_returned(struct stacks *s, struct snapshot *snap)
{
	bool is_read = false;

	for (size_t i = 0; i < s->nof; i++) {
		const struct stack_want *w = s->of[i] >= 0 ? &s->want[s->of[i]] : NULL;

		if (!w || !w->is_running)
			continue;
		if (!is_read && tables_reread_ms(&snap->tables, snap->second) < 0)
			return;
		is_read = true;
		if (snap->second[w->m].call != snap->tables.view[w->m].call)
			s->of[i] = -1;
	}
}

/*
 * libgrt.a is one object, and so its code lies together: what is between its public functions is
 * the runtime's. A function that a tail call left out of the stack does not hide the others then.
 */
static void find_runtime(struct stacks *s)
{
	if (s->has_range || s->target->nsites == 0)
		return;
	s->has_range = true;
	if (!symname_range(names_functions(s->names), s->target->site[0].addr, API_PREFIX,
			   &s->runtime_start, &s->runtime_end))
		s->runtime_start = s->runtime_end = 0;
}

/* Before the second look, which tells whether it was one sleep. */
static void read_kernel(struct stacks *s, struct snapshot *snap)
{
	for (size_t i = 0; i < s->nof; i++)
		if (s->of[i] >= 0 && thread_is_asleep(&snap->threads.row[i]))
			kstack_read(s->kstack, s->target->pid, &snap->threads.row[i]);
}

void stacks_take(struct stacks *s, struct snapshot *snap, const int *m_of)
{
	const struct maps *maps = symname_maps(names_functions(s->names));

	s->nof = 0;
	if (!reserve(s, snap->threads.n))
		return;
	s->first = snap->threads.row;
	s->nof = snap->threads.n;
	choose(s, snap, m_of);
	if (s->n == 0)
		return;
	if (s->losses != maps_losses(maps)) {
		s->losses = maps_losses(maps);
		memset(s->slot, 0, sizeof(s->slot));
	}
	stack_walk_all(s->walk, s->want, s->stack, s->n);
	find_runtime(s);
	if (!snap->iter)
		read_kernel(s, snap);
	drop_torn(s, snap);
	drop_returned(s, snap);
}

static struct pc_slot *slot_of(struct pc_slot *slot, uint64_t pc)
{
	return &slot[pc * 0x9e3779b97f4a7c15ull >> 51];
}

/*
 * Named when it is new. A pc is where a call returns to: the call itself lies before it. The line is told of the
 * program's own code: those of the C library, the loader and libgrt.so nobody asks for, and where debug information
 * of the first is installed, to unpack it takes 60 ms.
 */
static const struct pc_slot *pc_name(struct stacks *s, uint64_t pc, source_emit_fn emit, void *arg)
{
	struct symname *functions = names_functions(s->names);
	struct pc_slot *slot = slot_of(s->slot, pc);
	const struct map *map;
	char text[NAME_BYTES];

	if (slot->pc == pc)
		return slot;
	map = maps_find(symname_maps(functions), pc - 1);
	*slot = (struct pc_slot){ .pc = pc };
	slot->is_system = (map && map->is_system) ||
			  (pc > s->runtime_start && pc <= s->runtime_end);
	if (symname_get(functions, pc - 1, text, sizeof(text))) {
		names_put(s->names, GRT_TEXT_FUNCTION, pc, text, emit, arg);
		slot->is_api = !strncmp(text, API_PREFIX, strlen(API_PREFIX));
		slot->is_entry = !strcmp(text, "context_entry");
	}
	if (!(map && map->is_system) && symname_line(functions, pc - 1, text, sizeof(text)))
		names_put(s->names, GRT_TEXT_LINE, pc, text, emit, arg);
	if (symname_build_id(functions, pc - 1, text, sizeof(text)))
		names_put(s->names, GRT_TEXT_BUILD_ID, pc, text, emit, arg);
	return slot;
}

static void tell(struct stacks *s, const char *why, source_emit_fn emit, void *arg)
{
	if (!s->has_told)
		names_put(s->names, GRT_TEXT_ABOUT, GRT_ABOUT_WHY_NO_STACKS, why, emit, arg);
	s->has_told = true;
}

static void kernel_name(struct stacks *s, uint64_t pc, source_emit_fn emit, void *arg)
{
	struct pc_slot *slot = slot_of(s->kernel_slot, pc);
	const char *name;

	if (slot->pc == pc)
		return;
	slot->pc = pc;
	name = kstack_name(s->kstack, pc);
	if (!name && !s->is_ksym_tried) {
		s->is_ksym_tried = true;
		s->ksym = ksym_open(KSYM_PATH);
		if (!s->ksym)
			tell(s,
			     "the kernel does not show its symbols: " KSYM_PATH
			     " has no addresses for us",
			     emit, arg);
	}
	if (!name && s->ksym)
		name = ksym_name(s->ksym, pc - 1);
	if (name)
		names_put(s->names, GRT_TEXT_KERNEL, pc, name, emit, arg);
}

static void put_frames(const struct thread_row *t, uint64_t now_ns, enum grt_stack which,
		       const uint64_t *pc, const uint8_t *flags, unsigned int n,
		       source_emit_fn emit, void *arg)
{
	for (unsigned int first = 0; first < n; first += GRT_STACK_PCS) {
		unsigned int part = n - first < GRT_STACK_PCS ? n - first : GRT_STACK_PCS;
		struct grt_rec rec = { .time_ns = now_ns, .tid = t->tid, .kind = GRT_K_SNAP_STACK };

		rec.arg[0] = (uint64_t)which | (uint64_t)part << 8 | (uint64_t)first << 16;
		for (unsigned int i = 0; i < part; i++) {
			rec.arg[0] |= (uint64_t)flags[first + i] << (FLAGS_SHIFT + FLAGS_BITS * i);
			rec.arg[1 + i] = pc[first + i];
		}
		emit(arg, &rec);
	}
}

/*
 * Frames of libgrt where it is a part of the program: from the innermost one (of a foreign call:
 * from where the stack was changed) to the function that user code called, and what started the
 * goroutine.
 */
static void mark_runtime(const struct stack_want *w, const struct stack *k, const bool *is_api,
			 bool has_entry, uint8_t *flags)
{
	unsigned int first = w->is_foreign ? k->jump_at : 0;
	unsigned int end = k->call_at < k->n ? k->call_at : 0;

	if (!w->is_in_call)
		return;
	for (unsigned int i = 0; i < k->n; i++)
		if (is_api[i])
			end = i + 1 > end ? i + 1 : end;
	for (unsigned int i = first; i < end; i++)
		flags[i] |= GRT_FRAME_SYSTEM;
	for (unsigned int i = k->n < 2 ? 0 : k->n - 2u; has_entry && i < k->n; i++)
		flags[i] |= GRT_FRAME_SYSTEM;
}

static void emit_user(struct stacks *s, const struct stack_want *w, const struct stack *k,
		      uint64_t now_ns, source_emit_fn emit, void *arg)
{
	bool is_api[STACK_FRAMES], has_entry = false;
	uint8_t flags[STACK_FRAMES];

	for (unsigned int i = 0; i < k->n; i++) {
		const struct pc_slot *slot = pc_name(s, k->pc[i], emit, arg);

		flags[i] = k->flags[i] | (slot->is_system ? GRT_FRAME_SYSTEM : 0);
		is_api[i] = slot->is_api;
		has_entry = slot->is_entry;
	}
	mark_runtime(w, k, is_api, has_entry, flags);
	put_frames(w->t, now_ns, GRT_STACK_USER, k->pc, flags, k->n, emit, arg);
}

void stacks_emit(struct stacks *s, const struct thread_row *t, uint64_t now_ns, source_emit_fn emit,
		 void *arg)
{
	static const uint8_t none[THREAD_KERNEL_FRAMES];
	size_t i = (size_t)(t - s->first);
	int32_t at = i < s->nof ? s->of[i] : -1;

	if (at < 0)
		return;
	if (kstack_why_not(s->kstack))
		tell(s, kstack_why_not(s->kstack), emit, arg);
	for (unsigned int f = 0; f < t->nkernel; f++)
		kernel_name(s, t->kernel[f], emit, arg);
	put_frames(t, now_ns, GRT_STACK_KERNEL, t->kernel, none, t->nkernel, emit, arg);
	emit_user(s, &s->want[at], &s->stack[at], now_ns, emit, arg);
}

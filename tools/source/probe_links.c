/* SPDX-License-Identifier: MIT */
/*
 * probe_links.c - see probe_links.h.
 *
 * Each link that is taken off waits for a grace period of the kernel, and those that are taken off
 * together for two. So there is one link as long as nothing is shed, and one a group afterwards; it never
 * goes back. While one becomes the other no hit may be missed and none be told twice: the new links come
 * before the old one goes, both run the program, and that knows by the cookie which of them it is.
 *
 * Rejected: a link a group from the start (73 to 111 ms to detach all, against 25 to 47); first off, then
 * on (hits are missed, uncounted, for 40 ms); a flag by which one side is deaf (a hit that is between the
 * two when it changes is missed or told twice).
 */
#include "probe_links.h"

#include <string.h>
#include <unistd.h>

#include "../../bpf/events.h"
#include "uprobe_multi.h"

static const struct {
	const char *temperature;
	uint32_t bit;
} groups[PROBE_GROUPS] = { { "cold", GRT_COLD }, { "warm", GRT_WARM }, { "hot", GRT_HOT } };

static uint32_t bit_of(const struct probe_site *s)
{
	for (int i = 0; i < PROBE_GROUPS; i++)
		if (!strcmp(s->desc->temperature, groups[i].temperature))
			return groups[i].bit;
	return 0;
}

/* A link for the sites of these groups; *ret_armed: those that have a site. -1: none has. */
static int link_make(const struct probe_links *l, uint32_t bits, uint64_t cookie_flags,
		     uint32_t *ret_armed)
{
	uint64_t offsets[PROBES_MAX], semaphores[PROBES_MAX], cookies[PROBES_MAX];
	const struct target *t = l->target;
	struct uprobe_multi u = {
		.prog_fd = l->prog_fd,
		.path = t->module.open_path,
		/* Without its leader a process cannot be named to the kernel: the program filters. */
		.pid = t->is_leader_gone ? 0 : t->pid,
		.offsets = offsets,
		.semaphores = semaphores,
		.cookies = cookies,
	};

	*ret_armed = 0;
	for (int i = 0; i < t->nsites && i < PROBES_MAX; i++) {
		uint32_t bit = bit_of(&t->site[i]) & bits;

		if (!bit || !(l->kinds >> t->site[i].desc->kind & 1))
			continue;
		offsets[u.n] = t->site[i].file_off;
		semaphores[u.n] = t->site[i].sem_off;
		cookies[u.n++] = (uint64_t)i | cookie_flags;
		*ret_armed |= bit;
	}
	return u.n ? uprobe_multi_attach(&u) : -1;
}

static void group_attach(struct probe_links *l, int i)
{
	uint32_t armed;

	l->group[i] = link_make(l, groups[i].bit, COOKIE_OF_GROUP, &armed);
	if (l->group[i] >= 0)
		l->armed |= armed;
}

static void groups_attach(struct probe_links *l, uint32_t bits)
{
	for (int i = 0; i < PROBE_GROUPS; i++)
		if (l->group[i] < 0 && (groups[i].bit & bits))
			group_attach(l, i);
}

static void groups_detach(struct probe_links *l, uint32_t bits)
{
	int links[PROBE_GROUPS], n = 0;

	for (int i = 0; i < PROBE_GROUPS; i++) {
		if (!(groups[i].bit & bits))
			continue;
		links[n++] = l->group[i];
		l->group[i] = -1;
	}
	uprobe_multi_detach(links, n);
	l->armed &= ~bits;
}

/* What is kept gets links of its own. */
static void split(struct probe_links *l, uint32_t kept)
{
	__atomic_store_n(l->is_changing, 1, __ATOMIC_SEQ_CST);
	l->armed = 0;
	groups_attach(l, kept);
	close(l->whole);
	l->whole = -1;
	__atomic_store_n(l->is_changing, 0, __ATOMIC_SEQ_CST);
}

void probe_links_init(struct probe_links *l)
{
	l->whole = -1;
	for (int i = 0; i < PROBE_GROUPS; i++)
		l->group[i] = -1;
	l->armed = 0;
}

int probe_links_attach(struct probe_links *l)
{
	uint32_t armed;
	int link = link_make(l, GRT_COLD | GRT_WARM | GRT_HOT, 0, &armed);

	if (link < 0)
		return armed ? link : 0;
	l->whole = link;
	l->armed = armed;
	return 0;
}

void probe_links_arm(struct probe_links *l, uint32_t wanted)
{
	uint32_t unwanted = l->armed & ~wanted;

	if (unwanted && l->whole >= 0)
		split(l, l->armed & wanted);
	groups_attach(l, wanted & ~l->armed);
	if (unwanted)
		groups_detach(l, unwanted);
}

void probe_links_detach(struct probe_links *l)
{
	if (l->whole >= 0)
		close(l->whole);
	l->whole = -1;
	groups_detach(l, GRT_COLD | GRT_WARM | GRT_HOT);
	l->armed = 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * target.c - opening and closing a target, and the last check before anybody believes it: does
 * the live memory look as the layout note says? A note of another build, or offsets that were
 * damaged in a way that contradicts nothing, end here.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../runtime/trace_abi.h"
#include "identity.h"
#include "mem.h"
#include "module.h"
#include "proc.h"

#define PROCS_PLAUSIBLE 65536u
#define MS_PLAUSIBLE (1u << 24)
#define MS_LOOKED_AT 64u /* enough to tell a table of Ms from something else */
#define STARTUP_TRIES 20 /* a process may be starting while we look */
#define STARTUP_WAIT_NS 10000000l

/* The runtime's tables, as one look found them. */
struct look {
	uint64_t *p_addr; /* of each P */
	uint32_t nprocs;
	char err[160];
};

static int table_read(const struct target *t, uint64_t global, uint32_t n, uint64_t *ret)
{
	uint64_t table;
	int rc = mem_read(t->via_tid, global, &table, sizeof(table));

	return rc < 0 ? rc : mem_read(t->via_tid, table, ret, n * (uint32_t)sizeof(*ret));
}

/* allp[i].id is i: nothing but a table of Ps looks like that. */
static int ps_check(const struct target *t, struct look *k)
{
	const struct layout *l = &t->layout;
	char *p = malloc(l->p_size);
	int rc = p ? table_read(t, l->allp, k->nprocs, k->p_addr) : -ENOMEM;

	if (rc == -EFAULT)
		snprintf(k->err, sizeof(k->err), "allp is not a table of %u pointers", k->nprocs);
	for (uint32_t i = 0; rc == 0 && i < k->nprocs; i++) {
		rc = mem_read(t->via_tid, k->p_addr[i], p, l->p_size);
		if (rc == -EFAULT) {
			snprintf(k->err, sizeof(k->err), "allp[%u] points nowhere", i);
		} else if (rc == 0 && layout_get(&l->p_id, p) != i) {
			snprintf(k->err, sizeof(k->err), "p_id of allp[%u] is %" PRIu64, i,
				 layout_get(&l->p_id, p));
			rc = -EINVAL;
		} else if (rc == 0 && layout_get(&l->p_status, p) > GRT_P_RUNNING) {
			snprintf(k->err, sizeof(k->err), "p_status of allp[%u] is %" PRIu64, i,
				 layout_get(&l->p_status, p));
			rc = -EINVAL;
		}
	}
	free(p);
	return rc;
}

static bool p_is_known(const struct look *k, uint64_t addr)
{
	for (uint32_t i = 0; i < k->nprocs; i++)
		if (k->p_addr[i] == addr)
			return true;
	return addr == 0;
}

/* The Ps that Ms name are in allp, and their status is one that there is. */
static int ms_check(const struct target *t, struct look *k, uint64_t len)
{
	const struct layout *l = &t->layout;
	uint32_t n = len < MS_LOOKED_AT ? (uint32_t)len : MS_LOOKED_AT;
	uint64_t addr[MS_LOOKED_AT];
	char *m = malloc(l->m_size);
	int rc = m ? table_read(t, l->allm, n, addr) : -ENOMEM;

	if (rc == -EFAULT)
		snprintf(k->err, sizeof(k->err), "allm is not a table of %u pointers", n);
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		rc = mem_read(t->via_tid, addr[i], m, l->m_size);
		if (rc == -EFAULT) {
			snprintf(k->err, sizeof(k->err), "allm[%u] points nowhere", i);
		} else if (rc == 0 && layout_get(&l->m_status, m) > GRT_M_SYSTEM) {
			snprintf(k->err, sizeof(k->err), "m_status of allm[%u] is %" PRIu64, i,
				 layout_get(&l->m_status, m));
			rc = -EINVAL;
		} else if (rc == 0 && !p_is_known(k, layout_get(&l->m_p, m))) {
			snprintf(k->err, sizeof(k->err), "m_p of allm[%u] is no P", i);
			rc = -EINVAL;
		}
	}
	free(m);
	return rc;
}

/* One look at the live tables. -EINVAL or -EFAULT: something is not as the note says, see err. */
static int look(const struct target *t, struct look *k)
{
	const struct layout *l = &t->layout;
	char *sched = malloc(l->sched_size);
	uint64_t nprocs, nms;
	int rc = sched ? mem_read(t->via_tid, l->sched, sched, l->sched_size) : -ENOMEM;

	if (rc < 0) {
		free(sched);
		snprintf(k->err, sizeof(k->err), "sched is not in its memory");
		return rc;
	}
	nprocs = layout_get(&l->sched_gomaxprocs, sched);
	nms = layout_get(&l->sched_allm_len, sched);
	free(sched);
	if (nprocs == 0 && nms == 0)
		return 0; /* the runtime has not started yet */
	if (nprocs == 0 || nprocs > PROCS_PLAUSIBLE) {
		snprintf(k->err, sizeof(k->err), "sched_gomaxprocs is %" PRIu64, nprocs);
		return -EINVAL;
	}
	if (nms > MS_PLAUSIBLE) {
		snprintf(k->err, sizeof(k->err), "sched_allm_len is %" PRIu64, nms);
		return -EINVAL;
	}
	k->nprocs = (uint32_t)nprocs;
	k->p_addr = calloc(nprocs, sizeof(*k->p_addr));
	rc = k->p_addr ? ps_check(t, k) : -ENOMEM;
	if (rc == 0)
		rc = ms_check(t, k, nms);
	free(k->p_addr);
	k->p_addr = NULL;
	return rc;
}

static enum exit_code memory_check(const struct target *t)
{
	static const struct timespec wait = { .tv_nsec = STARTUP_WAIT_NS };
	struct look k = { 0 };
	int rc = look(t, &k);

	/* Tables that are being filled are wrong only for a moment; who is stopped fills none. */
	for (int i = 0; (rc == -EINVAL || rc == -EFAULT) && !t->is_stopped && i < STARTUP_TRIES;
	     i++) {
		nanosleep(&wait, NULL);
		rc = look(t, &k);
	}
	if (rc == 0)
		return EXIT_FINE;
	if ((rc == -EINVAL || rc == -EFAULT) && k.err[0] && target_is_alive(t))
		return diag_error(EXIT_NO_TARGET,
				  "cannot study pid %d (%s): the layout note in %s "
				  "does not fit its memory: %s",
				  t->pid, t->comm, t->module.path, k.err);
	return identity_refused(t, "cannot read the memory of", rc);
}

static struct target *target_new(int *ret_code)
{
	struct target *t = calloc(1, sizeof(*t));

	if (!t) {
		*ret_code = diag_error(EXIT_SYSTEM, "out of memory");
		return NULL;
	}
	t->pidfd = -1;
	t->mem_fd = -1;
	t->module.fd = -1;
	return t;
}

/* The file stays tied to the memory that it was opened on: once that is gone it reads nothing. */
static int image_hold(const struct target *t)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/mem", t->via_tid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

struct target *target_open(pid_t pid, int *ret_code)
{
	struct target *t = target_new(ret_code);
	enum exit_code code;

	if (!t)
		return NULL;
	code = identity_open(t, pid);
	/* Before the maps are read: an exec from here on is noticed. */
	if (code == EXIT_FINE)
		t->mem_fd = image_hold(t);
	if (code == EXIT_FINE)
		code = module_find(t);
	if (code == EXIT_FINE)
		code = memory_check(t);
	if (code == EXIT_FINE && !target_is_same_image(t))
		code = identity_refused(t, "cannot open", -ESRCH);
	*ret_code = (int)code;
	if (code == EXIT_FINE)
		return t;
	target_close(t);
	return NULL;
}

struct target *target_open_file(const char *path, int *ret_code)
{
	struct target *t = target_new(ret_code);
	enum exit_code code;
	struct stat st;
	int fd;

	if (!t)
		return NULL;
	snprintf(t->module.path, sizeof(t->module.path), "%s", path);
	/* Not blocking: the path may name a FIFO. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		code = errno == EACCES || errno == EPERM ? EXIT_NOT_PERMITTED : EXIT_NO_TARGET;
		diag_error(code, "cannot open %s: %s", path,
			   errno == ENOENT ? "no such file" : strerror(errno));
	} else if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		code = (enum exit_code)diag_error(EXIT_NO_TARGET,
						  "cannot read %s: it is not a file", path);
		close(fd);
	} else {
		code = module_read_file(t, fd);
	}
	*ret_code = (int)code;
	if (code == EXIT_FINE)
		return t;
	target_close(t);
	return NULL;
}

void target_close(struct target *t)
{
	if (!t)
		return;
	if (t->pidfd >= 0)
		close(t->pidfd);
	if (t->mem_fd >= 0)
		close(t->mem_fd);
	if (t->module.fd >= 0)
		close(t->module.fd);
	free(t->site);
	free(t);
}

bool target_is_alive(const struct target *t)
{
	struct pollfd pfd = { .fd = t->pidfd, .events = POLLIN };
	struct proc_stat stat;

	/* A pidfd holds on to the process: readable once its last thread has exited. */
	if (t->pidfd >= 0)
		return poll(&pfd, 1, 0) == 0;
	if (t->pid == 0 || proc_stat_read(t->pid, &stat) < 0 || stat.start_ns != t->start_time_ns)
		return false;
	return !proc_stat_is_dead(&stat) || proc_live_thread(t->pid) != 0;
}

bool target_is_ending(const struct target *t)
{
	struct proc_stat stat;
	struct proc_status other;
	pid_t tid;

	if (!target_is_alive(t) || proc_stat_read(t->pid, &stat) < 0)
		return true;
	if (!proc_stat_is_exiting(&stat))
		return false;
	tid = proc_live_thread(t->pid);
	if (tid == 0 || proc_stat_read(tid, &stat) < 0 || proc_stat_is_exiting(&stat))
		return true;
	return proc_status_read(tid, &other) < 0 || other.is_killed;
}

bool target_is_same_image(const struct target *t)
{
	char c;

	if (t->mem_fd < 0)
		return target_is_alive(t);
	return pread(t->mem_fd, &c, 1, (off_t)t->layout.sched) == 1;
}

/*
 * The old memory is gone: no thread has it any more. In an exec the leader has the new one from the same
 * moment on. In an exit it has none, for as long as its threads take to follow.
 */
bool target_has_execed(const struct target *t)
{
	char path[64], exe[2];

	snprintf(path, sizeof(path), "/proc/%d/exe", t->pid);
	return target_is_alive(t) && (readlink(path, exe, sizeof(exe)) > 0 || errno == EACCES);
}

/* SPDX-License-Identifier: MIT */
/*
 * target.h - the process under study: what it is, where its runtime lies, which probes it has.
 * Reads only; never stops or writes to it.
 *
 * A process is (pid, start time). Its files are reached as mapped (/proc/PID/exe, map_files), not
 * by path: they may have been replaced or deleted.
 */
#ifndef GOTRACE_TARGET_H
#define GOTRACE_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "layout.h"

/* One row of probes.def. */
struct probe_desc {
	uint16_t kind;
	const char *name;
	const char *temperature; /* "cold", "warm", "hot" */
	int nargs;
	const char *args; /* "(m, for_p, cause)" */
	const char *doc;
};
extern const struct probe_desc probe_table[];
extern const int probe_table_len;

/* Where a probe's argument is at its site. */
struct probe_arg {
	uint8_t is_imm; /* value is imm */
	uint8_t width;  /* bytes */
	uint8_t is_signed;
	uint8_t reserved;
	uint32_t regs_off; /* offset in struct pt_regs as BPF sees it */
	int64_t imm;
};

#define TARGET_SITES_MAX 64 /* bits in a bitmap of sites */

struct probe_site {
	const struct probe_desc *desc;
	uint64_t addr;     /* in the target */
	uint64_t file_off; /* of the instruction */
	uint64_t sem_addr; /* in the target, 0: none */
	uint64_t sem_off;  /* in the file */
	int nargs;
	struct probe_arg arg[6];
};

struct target_module {
	char path[4096];    /* as the target's maps call it */
	int fd;             /* the mapped file itself, whatever its path holds by now */
	char open_path[64]; /* the same for who wants a path: /proc/self/fd/N */
	uint64_t bias;      /* address - ELF vaddr */
	bool is_replaced;   /* deleted or replaced on disk while running */
};

struct target {
	pid_t pid;
	uint64_t start_time_ns; /* since boot, from /proc/PID/stat */
	int pidfd;              /* -1: the kernel has none, or the target is a file */
	pid_t via_tid;       /* whose /proc entries show memory and files: pid, or a live thread if
				   the leader is gone */
	int mem_fd;          /* /proc/PID/mem: holds on to the image, not to the process; or -1 */
	int ns_level;        /* pid namespaces between ours and the innermost one */
	pid_t ns_pid;        /* its pid in the innermost one */
	bool is_leader_gone; /* main thread has exited */
	bool is_stopped;
	char comm[32];
	struct target_module module; /* that holds the runtime */
	struct layout layout;
	struct probe_site *site;
	int nsites;
};

/*
 * Open a live process for study. *ret_code gets the exit code on failure, after diag_error has
 * told the user why (no such process, a thread's id, a zombie, a kernel thread, another user's,
 * hidden, not a libgrt program and what it looks like instead, two copies of libgrt, damaged
 * note).
 */
struct target *target_open(pid_t pid, int *ret_code);
void target_close(struct target *t);
/* Is it still the same process, and alive? */
bool target_is_alive(const struct target *t);
/*
 * Has it ended, or is it about to? One of thousands of threads that was killed, or has called exit, is alive for a while, its
 * main thread without a memory that could be read. One whose main thread has left the others is not.
 */
bool target_is_ending(const struct target *t);
/* Does it still run the image that was opened? False after an exec, and after its end. */
bool target_is_same_image(const struct target *t);
/* It does not: does it run another one? False for one that is about to end, and then not alive. */
bool target_has_execed(const struct target *t);
/* Probes of an ELF file that is not running; addr fields are ELF addresses, pid is 0. */
struct target *target_open_file(const char *path, int *ret_code);
/* Which sites hold a breakpoint now: read back from the target's memory. Bitmap by index in site.
 * Returns how many, or -errno. */
int target_read_armed(const struct target *t, uint64_t *ret_bitmap);
/*
 * Bulk read of the target's memory: n places. Returns how many were read in full, or -errno;
 * -ESRCH: the process is gone. What cannot be read in full reads as zeros.
 */
struct target_read {
	uint64_t addr;
	void *buf;
	uint32_t bytes;
};
int target_read_many(const struct target *t, struct target_read *r, int n);

#endif

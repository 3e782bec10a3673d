/* SPDX-License-Identifier: MIT */
/*
 * take.pml - who gets the P of a call: the M that returns, or one of several takers.
 *
 * The protocol of runtime/take.h, word by word:
 *
 *   here                    there
 *   M: call ... leave       take_enter, take_leave, take_leave_slow
 *   try_take                take_p
 *   callblock               take_give_up, then a call
 *   T                       sysmon, or who changes the number of Ps
 *   membarrier(), FAILMB    take_barrier, take_fenced
 *
 * The machine. Each M has a FIFO store buffer, as x86 has; the process hw lets it drain when it
 * likes. With -DPSO a later store to another word may overtake, unless it is a store-release, as on
 * arm64. membarrier drains the buffers one after the other, so that anything may happen between the
 * moments at which two Ms run "their" barrier. Takers read memory in program order.
 *
 * The truth. Ghost variables, which no process decides by, say who really owns each P (own), in
 * which call an M exposes it (gin), and what its private data must be (gd). Claims checked:
 *
 *   I1  a P is committed only while its M is in a call
 *   I2  ... and it is the call about which the taker had decided
 *   I3  ... and it is the P that this call exposes
 *   I4  user code runs on an M only while that M owns the P, and sees what its last owner wrote
 *   I5  when all is over no claim, no P and no store is left behind
 *   and no deadlock: whoever waits, waits for something that can happen
 *
 * Size: NM Ms make CALLS calls each on NP Ps, beside NT takers that are no Ms; an M that has lost
 * its P is a taker too. SBN is the depth of a store buffer. Options: BLOCKCALL (P given up at
 * once), RELEASE (an M changes its P between calls), FAILMB (membarrier may fail at any time), BOUND (a
 * leaving M is disturbed at most so often). MUT_* seed one bug each; cases lists what is found.
 */
#ifndef NM
#define NM 2
#endif
#ifndef NP
#define NP 1
#endif
#ifndef NT
#define NT 1
#endif
#ifndef CALLS
#define CALLS 2
#endif
#ifndef SBN
#define SBN 2
#endif

/* Where the words are in mem[]. */
#define CALL(m)  (m)			/* m.call: tick*4 + IN + FNC; written by the M only */
#define TAKE(m)  (NM+(m))		/* m.take: FREE, a claim, TAKEN; takers by CAS, M back to FREE */
#define MP(m)    (2*NM+(m))		/* p+1, 0 = none; written by the M only */
#define PM(p)    (3*NM+(p))		/* m+1, 0 = none; written by the P's owner */
#define PD(p)    (3*NM+NP+(p))		/* P-private data */
#define FENC     (3*NM+2*NP)		/* take_fenced */
#define NADDR    (FENC+1)

#define IN     1
#define FNC    2
#define FREE   0
#define TAKEN  1
#if defined(MUT_SAMETICKET)
#define CLAIM(x) 16
#elif defined(MUT_TICKTICKET)
#define CLAIM(x) (16+c0/4)		/* two takers of one call would share it */
#else
#define CLAIM(x) (16+(x))		/* unique ticket: a taker resolves one claim before the next */
#endif

byte mem[NADDR];
byte sbn[NM];
byte sba[NM*SBN];
byte sbv[NM*SBN];
#ifdef PSO
bit  sbr[NM*SBN];
#endif

/* ghosts */
byte own[NP];		/* who owns the P: 0 pool, m+1, 8+taker */
byte gin[NM];		/* tick of the call in which the P is exposed, 0 = none */
byte gd[NP];		/* value that PD must have */
bit  idle[NP];
byte mdone;		/* Ms finished */
byte tdone;

hidden byte k, h;

/* Store by M i: into its buffer, which must have room. */
inline st_(i, adr, val, rel) {
	atomic {
		sbn[i] < SBN ->
		d_step {
			sba[(i)*SBN+sbn[i]] = adr;
			sbv[(i)*SBN+sbn[i]] = val;
#ifdef PSO
			sbr[(i)*SBN+sbn[i]] = rel;
#endif
			sbn[i]++
		}
	}
}
#define st(i,a,v)  st_(i,a,v,0)
#define str(i,a,v) st_(i,a,v,1)

/* Write slot j of buffer i to memory and close the gap. The last slot is cleared: fewer states. */
inline slot(i, j) {
	mem[sba[(i)*SBN+(j)]] = sbv[(i)*SBN+(j)];
	h = j;
	do
	:: h+1 < sbn[i] ->
		sba[(i)*SBN+h] = sba[(i)*SBN+h+1]; sbv[(i)*SBN+h] = sbv[(i)*SBN+h+1];
#ifdef PSO
		sbr[(i)*SBN+h] = sbr[(i)*SBN+h+1];
#endif
		h++
	:: else -> break
	od;
	sbn[i]--;
	sba[(i)*SBN+sbn[i]] = 0; sbv[(i)*SBN+sbn[i]] = 0;
#ifdef PSO
	sbr[(i)*SBN+sbn[i]] = 0;
#endif
	h = 0
}
#define flush1(i)  d_step { slot(i, 0) }
/* What a locked instruction of M i does first. */
inline drain(i) {
	d_step {
		do
		:: sbn[i] > 0 -> slot(i, 0)
		:: else -> break
		od
	}
}
/* Load by M i: its own latest buffered store, or memory. */
inline ld(i, adr, r) {
	d_step {
		r = mem[adr];
		k = 0;
		do
		:: k < sbn[i] ->
			if
			:: sba[(i)*SBN+k] == (adr) -> r = sbv[(i)*SBN+k]
			:: else
			fi;
			k++
		:: else -> break
		od;
		k = 0
	}
}

/* The store buffers drain when they like. */
active proctype hw() {
	byte i;
end:	do
	:: atomic { sbn[0] > 0 -> flush1(0) }
#if NM > 1
	:: atomic { sbn[1] > 0 -> flush1(1) }
#endif
#if NM > 2
	:: atomic { sbn[2] > 0 -> flush1(2) }
#endif
#ifdef PSO
/* The second or third store overtakes: not a release, and to a word that no earlier one goes to. */
#define AT(i, j) sba[(i)*SBN+(j)]
#define OOO(i) :: atomic { sbn[i] > 1 && !sbr[(i)*SBN+1] && AT(i, 0) != AT(i, 1) -> \
	d_step { slot(i, 1) } }
#define OOO3(i) :: atomic { sbn[i] > 2 && !sbr[(i)*SBN+2] && AT(i, 2) != AT(i, 1) && \
	AT(i, 2) != AT(i, 0) -> d_step { slot(i, 2) } }
	OOO(0)
#if NM > 1
	OOO(1)
#endif
#if SBN > 2
	OOO3(0)
#if NM > 1
	OOO3(1)
#endif
#endif
#endif
	od
}

/* A barrier on every other thread of the process, each at its own moment. */
inline membarrier(isM, me) {
	mbok = true;
#ifdef FAILMB
	if
	:: mbok = true
	:: mbok = false
	fi;
#endif
	if
	:: mbok ->
#ifndef MUT_NOMB
		drain(0);
#if NM > 1
		drain(1);
#endif
#if NM > 2
		drain(2);
#endif
#endif
		skip
	:: else -> skip
	fi
}

/*
 * take_p. isM: the taker is an M and has a store buffer. Its loads need no forwarding: none of the
 * words it reads can be in its own buffer, except PM(p) of a P that it has released, for which it
 * does not ask.
 */
inline try_take(isM, me, p, ok) {
	ok = false;
	vm = mem[PM(p)];
	if
	:: vm == 0 || (isM && vm == me+1) -> skip
	:: else ->
		c0 = mem[CALL(vm-1)];
		if
		:: (c0 & IN) == 0 -> skip
		:: else ->
			fm = mem[FENC];
			if
#ifndef MUT_UNFENCED
			:: fm && (c0 & FNC) == 0 -> skip	/* left alone until it returns */
			:: else ->
#else
			:: true ->
#endif
#ifdef MUT_MBEARLY
				membarrier(isM, me);
#endif
				atomic {
					if
					:: isM -> drain(me)
					:: else
					fi;
					won = (mem[TAKE(vm-1)] == FREE);
					if
					:: won -> mem[TAKE(vm-1)] = CLAIM(isM -> me : NM+me)
					:: else
					fi
				}
				if
				:: !won -> skip
				:: else ->
#ifndef MUT_MBEARLY
					if
					:: fm -> mbok = true	/* the CAS was the fence; the M pays the other */
					:: else -> membarrier(isM, me)
					fi;
#endif
#ifdef MUT_NORELOAD
					c1 = c0; mp = p+1;
#else
					c1 = mem[CALL(vm-1)];
#ifdef MUT_NOMP
					mp = p+1;
#else
					mp = mem[MP(vm-1)];
#endif
#endif
					atomic {
#ifdef MUT_PLAINCOMMIT
#define MINE 1
#else
#define MINE (mem[TAKE(vm-1)] == CLAIM(isM -> me : NM+me))
#endif
						if
#ifdef MUT_NOTICK
						:: mbok && (c1 & IN) && mp == p+1 && MINE ->
#else
						:: mbok && c1 == c0 && mp == p+1 && MINE ->
#endif
							mem[TAKE(vm-1)] = TAKEN;
							/* I1 */
							assert(gin[vm-1] != 0);
							/* I2 */
							assert(gin[vm-1] == c0/4);
							/* I3 */
							assert(own[p] == vm);
							own[p] = 8+me+(isM -> 0 : NM);
							ok = true
						:: else ->
							if
							:: MINE -> mem[TAKE(vm-1)] = FREE
							:: else
							fi;
							if
							:: !mbok -> mem[FENC] = 1
							:: else
							fi
						fi
					}
				fi
			fi
		fi
	fi;
	c0 = 0; c1 = 0; vm = 0; mp = 0; won = 0; fm = 0; mbok = 0
}

proctype M(byte id) {
	byte myp, oldp, t, tk, n, c0, c1, vm, mp, fm;
	bool won, mbok, ok, fenced;
#ifdef BOUND
	byte loops;
#endif

getp:	/* no P: any idle one, or the old one from an M that is in a call with it */
	if
	:: atomic { idle[0] -> drain(id); idle[0] = 0; own[0] = id+1; myp = 1 }
#if NP > 1
	:: atomic { idle[1] -> drain(id); idle[1] = 0; own[1] = id+1; myp = 2 }
#endif
	:: oldp != 0 ->
		try_take(1, id, oldp-1, ok);
		if
		:: ok -> atomic { own[oldp-1] = id+1; myp = oldp; ok = false }
		:: else -> oldp = 0; goto getp
		fi
	fi;
	oldp = 0;
	/* I4: what the last owner wrote is visible (release by IN or by the pool's lock) */
	atomic { ld(id, PD(myp-1), tk); assert(tk == gd[myp-1]); tk = 0 };
	st(id, PM(myp-1), id+1);
	st(id, MP(id), myp);

user:	/* user code on the P */
	atomic {
		sbn[id] < SBN ->
		assert(own[myp-1] == id+1);	/* I4 */
		gd[myp-1] = (gd[myp-1]+1) % 4;
		st(id, PD(myp-1), gd[myp-1])
	};
	if
	:: n == CALLS -> goto done
	:: n < CALLS -> n++
	fi;
	if
	:: goto call
#ifdef BLOCKCALL
	:: goto callblock
#endif
#ifdef RELEASE
	:: st(id, PM(myp-1), 0);
	   st(id, MP(id), 0);
	   atomic { drain(id); own[myp-1] = 0; idle[myp-1] = 1; myp = 0 };
	   goto getp
#endif
	fi;

call:
	atomic { sbn[id] < SBN -> t++; str(id, CALL(id), t*4+IN); gin[id] = t };
#ifdef FAILMB
	ld(id, FENC, tk);
	if
	:: tk -> atomic { drain(id); mem[CALL(id)] = t*4+IN+FNC; fenced = true; tk = 0 }
	:: else -> skip
	fi;
#endif
#ifdef MUT_TOUCH
	atomic {
		sbn[id] < SBN -> assert(own[myp-1] == id+1); gd[myp-1] = (gd[myp-1]+1) % 4;
		st(id, PD(myp-1), gd[myp-1])
	};
#endif
	skip;			/* the call */

leave:
#ifdef MUT_EXITORDER
	ld(id, TAKE(id), tk);
	if
	:: tk == FREE -> st(id, CALL(id), t*4); atomic { gin[id] = 0; tk = 0 }; goto kept
	:: else
	fi;
#endif
	if
	:: fenced -> atomic { drain(id); mem[CALL(id)] = t*4; fenced = false }
	:: else -> st(id, CALL(id), t*4)
	fi;
#ifdef BOUND
	loops = 0;
#endif
again:
	atomic {
		ld(id, TAKE(id), tk);
#ifdef MUT_NOCHECK
		tk = FREE;
#endif
		if
		:: tk == FREE -> gin[id] = 0; goto kept
		:: tk == TAKEN -> tk = 0; gin[id] = 0; goto lost
		:: else
		fi
	};
	/* a claim stands: contest it */
#ifdef MUT_PLAINCANCEL
	atomic { sbn[id] < SBN -> st(id, TAKE(id), FREE); tk = 0; gin[id] = 0 };
	goto kept;
#endif
	atomic {
		drain(id);
		if
		:: mem[TAKE(id)] == tk -> mem[TAKE(id)] = FREE; tk = 0; gin[id] = 0; goto kept
		:: else -> tk = 0;
#ifdef BOUND
			loops++; assert(loops <= BOUND);	/* once late for the last call, once in this one */
#endif
			goto again
		fi
	};

kept:	assert(own[myp-1] == id+1);
	goto user;

callblock:
	st(id, MP(id), 0);
	st(id, PM(myp-1), 0);
	st(id, TAKE(id), TAKEN);
	atomic { sbn[id] < SBN -> t++; str(id, CALL(id), t*4+IN) };
	atomic { drain(id); own[myp-1] = 0; idle[myp-1] = 1 };	/* handoffp */
	str(id, CALL(id), t*4);
	atomic { ld(id, TAKE(id), tk); assert(tk == TAKEN); tk = 0 };

lost:	assert(own[myp-1] != id+1);
	atomic { oldp = myp; myp = 0 };
	st(id, MP(id), 0);
#ifndef MUT_NORESET
	st(id, TAKE(id), FREE);
#endif
	goto getp;

done:	/* gives its P back for good */
	st(id, PM(myp-1), 0);
	st(id, MP(id), 0);
	atomic { drain(id); own[myp-1] = 0; idle[myp-1] = 1; myp = 0; t = 0; mdone++ }
}

proctype T(byte me) {
	byte c0, c1, vm, mp, fm, p;
	bool won, mbok, ok;
end:	do
	:: mdone == NM -> break
	:: mdone < NM ->
#if NP > 1
		if
		:: p = 0
		:: p = 1
		fi;
#endif
		try_take(0, me, p, ok);
		if
		:: ok ->
			atomic { assert(mem[PD(p)] == gd[p]); mem[PM(p)] = 0; own[p] = 0; idle[p] = 1; ok = false }
		:: else
		fi
	od;
	atomic { p = 0; tdone++ }
}

init {
	byte i;
	atomic {
		idle[0] = 1;
#if NP > 1
		idle[1] = 1;
#endif
		run M(0);
#if NM > 1
		run M(1);
#endif
#if NM > 2
		run M(2);
#endif
#if NT > 0
		run T(0);
#endif
#if NT > 1
		run T(1);
#endif
	};
	/* I5 */
	atomic {
		mdone == NM && tdone == NT ->
		i = 0;
		do
		:: i < NM ->
			assert(sbn[i] == 0 && mem[TAKE(i)] == FREE && mem[MP(i)] == 0 && gin[i] == 0);
			i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < NP -> assert(idle[i] && own[i] == 0 && mem[PD(i)] == gd[i]); i++
		:: else -> break
		od
	}
}

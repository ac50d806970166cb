/* lease.pml - leader election with a fenced writer, as a model for spin.
 *
 * What src/core/lease.c and the store's scripts do together, with everything
 * left out that only makes it faster. There is no clock: the lock may end at
 * any moment, an instance may go on believing to lead for as long as it likes,
 * and may rest between any two of its steps for ever. That is worse than any
 * pause, wrong clock or slow network, so the order in time that the lease keeps
 * when clocks are good is not needed for what is claimed here:
 *
 *   stale    no write is accepted under an epoch below that of an earlier one
 *   shared   no epoch has accepted writes of two owners
 *   repeat   no instance acquires an epoch that was acquired before
 *
 * The store is replaced once, by a replica that may lack the last change. Time
 * enters in one place: an epoch is at least the store's clock. All that is used
 * of it is that it has passed all epochs of the old store by the time a lock is
 * given by the new one, since everybody sits out one TTL and the clocks differ
 * by less.
 *
 *   spin -a lease.pml; cc -DSAFETY -o pan pan.c; ./pan
 *   spin -a -DNO_FENCE lease.pml      no check of owner and epoch: stale
 *   spin -a -DNO_SIT_OUT lease.pml    no rest after a replacement: repeat
 *
 * tools/model runs all three, as a test.
 * SPDX-License-Identifier: Apache-2.0 */

#define INSTANCES 3
#define TAKES     3 /* locks given, all told */
#define WRITES    2 /* writes on their way at a time */
#define NOBODY    0
#define EPOCHS    20

/* The store, and what a replica has of it: all but the last change. */
byte owner, epoch;
byte old_owner, old_epoch;
byte store_id = 1; /* its run id */
byte given;        /* highest epoch that the first store gave to anyone */
byte clock = 1;    /* lower bound of an epoch; see above */
byte takes;

/* Writes and what is needed to judge them. A connection dies with its store. */
chan net = [WRITES] of { byte, byte, byte }; /* owner, epoch, run */

byte last_epoch, last_owner; /* of the last write that was accepted */
bool used[EPOCHS];           /* epochs that were acquired */

inline remember() {
    old_owner = owner;
    old_epoch = epoch
}

active [INSTANCES] proctype instance() {
    byte mine;      /* epoch; 0: I do not believe to lead */
    byte conn = 1;  /* run id of the store I am connected to */
    byte got;

end:
    do
    /* Take: in one script, and only if nobody has it. */
    :: atomic { mine == 0 && conn == store_id && takes < TAKES &&
                (owner == NOBODY || owner == _pid + 1) ->
           remember();
           owner = _pid + 1;
           epoch = (epoch + 1 > clock -> epoch + 1 : clock);
           takes++;
           got = epoch
       }
       if
       :: atomic { true ->
              mine = got;
              assert(got < EPOCHS && !used[got]); /* repeat */
              used[got] = true
          }
       :: true /* the answer is lost, or too late to be believed */
       fi;
       got = 0

    /* Write: sent now, whenever it arrives. */
    :: atomic { mine != 0 && conn == store_id && nfull(net) ->
           net ! _pid + 1, mine, conn
       }

    /* Renew: finds out at once when the lock is not ours. (That it lasts
     * longer by it is nothing here, since it may end at any moment.) */
    :: atomic { mine != 0 && conn == store_id &&
                (owner != _pid + 1 || epoch != mine) -> mine = 0 }

    /* Stop by one's own clock; or release, which compares the epoch. */
    :: atomic { mine != 0 -> mine = 0 }
    :: atomic { mine != 0 && conn == store_id ->
           if
           :: owner == _pid + 1 && epoch == mine ->
              remember();
              owner = NOBODY
           :: else
           fi;
           mine = 0
       }

    /* The store is another one: no leader any more, and sits out one TTL.
     * Then its clock is past all epochs of the old one. */
    :: atomic { conn != store_id ->
           conn = store_id;
           mine = 0;
#ifndef NO_SIT_OUT
           clock = given + 1
#endif
       }
    od
}

/* The lock ends, whenever it likes. */
active proctype time() {
end:
    do
    :: atomic { owner != NOBODY -> owner = NOBODY }
    od
}

active proctype failover() {
end:
    if
    :: atomic { store_id == 1 ->
           given = epoch;
           store_id = 2;
           if
           :: true -> owner = old_owner; epoch = old_epoch
           :: true /* nothing was lost */
           fi
       }
    fi
}

active proctype store() {
    byte o, e, r;

end:
    do
    :: atomic { net ? o, e, r ->
           if
           :: r != store_id /* its connection went with the store */
#ifndef NO_FENCE
           :: r == store_id && !(owner == o && epoch == e) /* refused */
           :: r == store_id && owner == o && epoch == e ->
#else
           :: r == store_id ->
#endif
              assert(e >= last_epoch);                    /* stale */
              assert(e != last_epoch || o == last_owner); /* shared */
              last_epoch = e;
              last_owner = o
           fi;
           o = 0; e = 0; r = 0
       }
    od
}

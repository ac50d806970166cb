/* sim.c - `artstore sim`: hours of many gateways and elements in seconds, with
 * faults from a seed. SPDX-License-Identifier: Apache-2.0 */
#include "sim/sim.h"
#include "cli/sim.h"
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

struct sim_args {
    struct cli_common c;
    uint64_t seed, seeds, hours, minutes, quiet, ingesters, elements, refresh,
        uploads;
    const char *faults, *without;
    bool verbose, json, silent;
};

#define UPLOADS    900
#define AT(member) offsetof(struct sim_args, member)

static const struct cli_opt sim_opts[] = {
    {.name = "seed",
     .kind = OPT_UINT,
     .at = AT(seed),
     .value = "N",
     .help = "Where all chance comes from (1)."},
    {.name = "seeds",
     .kind = OPT_UINT,
     .at = AT(seeds),
     .value = "N",
     .min = 1,
     .max = 1000000,
     .help = "So many runs, from --seed on (1); the first that goes wrong is "
             "the last."},
    {.name = "hours",
     .kind = OPT_UINT,
     .at = AT(hours),
     .value = "N",
     .max = SIM_HOURS_MAX,
     .help = "Virtual time in which things go wrong (1)."},
    {.name = "minutes",
     .kind = OPT_UINT,
     .at = AT(minutes),
     .value = "N",
     .max = 60 * 24,
     .help = "And so many minutes (0)."},
    {.name = "quiet-minutes",
     .kind = OPT_UINT,
     .at = AT(quiet),
     .value = "N",
     .max = 60 * 24,
     .help = "Time after that in which nothing does (12); then all gateways "
             "must see what there is. 0: that is not looked at."},
    {.name = "ingesters",
     .kind = OPT_UINT,
     .at = AT(ingesters),
     .value = "N",
     .min = 1,
     .max = SIM_INGESTERS_MAX,
     .help = "Gateways (4)."},
    {.name = "elements",
     .kind = OPT_UINT,
     .at = AT(elements),
     .value = "M",
     .min = 1,
     .max = SIM_ELEMENTS_MAX,
     .help = "Storage elements (100)."},
    {.name = "refresh",
     .kind = OPT_UINT,
     .at = AT(refresh),
     .value = "SECONDS",
     .max = 600,
     .help = "From one reading of the store to the next (5, as a gateway "
             "does)."},
    {.name = "uploads",
     .kind = OPT_UINT,
     .at = AT(uploads),
     .value = "N",
     .max = 1000000,
     .help = "Uploads that begin in an hour, at all gateways together (900)."},
    {.name = "faults",
     .kind = OPT_TEXT,
     .at = AT(faults),
     .value = "LIST",
     .help = "What goes wrong: all (the default), none, or names with commas "
             "between them; -NAME takes one out."},
    {.name = "without",
     .kind = OPT_TEXT,
     .at = AT(without),
     .value = "LIST",
     .help = "Takes a safeguard out, to see that it is missed: fence, sit-out, "
             "account, read, list."},
    {.name = "verbose",
     .letter = 'v',
     .kind = OPT_FLAG,
     .at = AT(verbose),
     .help = "A line for each fault and each change of leader."},
    {.name = "json",
     .kind = OPT_FLAG,
     .at = AT(json),
     .help = "One JSON object for each run."},
    {.name = "quiet",
     .letter = 'q',
     .kind = OPT_FLAG,
     .at = AT(silent),
     .help = "Only what is wrong."},
    {0},
};

/* ---- lists of names ---- */

static bool
bit_of(struct slice name, const char *(*name_of)(unsigned bit), unsigned n,
       unsigned *bit)
{
    for (unsigned i = 0; i < n; i++)
        if (slice_eq(name, slice_str(name_of(i)))) {
            *bit = 1u << i;
            return true;
        }
    return false;
}

/* False: WRONG is no such name. */
static bool
bits_of(const char *list, const char *(*name_of)(unsigned bit), unsigned n,
        unsigned *out, struct slice *wrong)
{
    struct slice rest = slice_str(list), name;

    if (list[0] == '-')
        *out = (1u << n) - 1;
    while (rest.n) {
        const char *comma = memchr(rest.p, ',', rest.n);
        size_t k = comma ? (size_t)(comma - rest.p) : rest.n;
        bool minus;
        unsigned bit = 0;

        name = slice_of(rest.p, k);
        rest = slice_of(rest.p + k + (comma ? 1 : 0),
                        rest.n - k - (comma ? 1 : 0));
        minus = name.n && name.p[0] == '-';
        if (minus)
            name = slice_of(name.p + 1, name.n - 1);
        if (slice_eq(name, SLICE("all")))
            bit = (1u << n) - 1;
        else if (!slice_eq(name, SLICE("none")) &&
                 !bit_of(name, name_of, n, &bit)) {
            *wrong = name;
            return false;
        }
        *out = minus ? *out & ~bit : *out | bit;
    }
    return true;
}

static int
no_such(const char *option, struct slice wrong,
        const char *(*name_of)(unsigned bit), unsigned n)
{
    char names[256] = "";
    size_t used = 0;

    for (unsigned i = 0; i < n && used < sizeof(names); i++)
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
                                 i ? ", " : "", name_of(i));
    return cli_usage("sim",
                     "--%s: there is no \"%.*s\"; there are %s, all and none",
                     option, (int)size_min(wrong.n, 40), wrong.p, names);
}

/* ---- one run ---- */

static void
tell(void *arg, const char *line)
{
    (void)arg;
    puts(line);
}

static double
seconds(struct dur d)
{
    return (double)d.ns / 1e9;
}

static double
cpu(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* The one line that brings a run back. */
static void
print_command(const struct sim_args *a, uint64_t seed)
{
    printf("artstore sim --seed %" PRIu64 " --hours %" PRIu64, seed, a->hours);
    if (a->minutes)
        printf(" --minutes %" PRIu64, a->minutes);
    printf(" --quiet-minutes %" PRIu64 " --ingesters %" PRIu64
           " --elements %" PRIu64,
           a->quiet, a->ingesters, a->elements);
    if (a->refresh)
        printf(" --refresh %" PRIu64, a->refresh);
    if (a->uploads != UPLOADS)
        printf(" --uploads %" PRIu64, a->uploads);
    if (a->faults)
        printf(" --faults=%s", a->faults);
    if (a->without)
        printf(" --without=%s", a->without);
    printf("\n");
}

static void
print_json(const struct sim_report *r, uint64_t seed, double took)
{
    printf("{\"seed\":%" PRIu64 ",\"ok\":%s,\"why\":\"%s\","
           "\"hash\":\"%016" PRIx64 "\",\"virtual_s\":%.0f,\"cpu_s\":%.3f,"
           "\"events\":%" PRIu64 ",\"faults\":%" PRIu64 ",\"polls\":%" PRIu64
           ",\"store_requests\":%" PRIu64 ",\"store_bytes\":%" PRIu64
           ",\"writes\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"epochs\":%" PRIu64
           ",\"verdicts\":%" PRIu64 ",\"leaderless_s\":%.3f,\"crash_s\":%.3f,"
           "\"release_s\":%.3f,\"full_seen_s\":%.3f,\"sick_seen_s\":%.3f,"
           "\"removed_seen_s\":%.3f,\"uploads\":%" PRIu64 ",\"stored\":%" PRIu64
           ",\"no_room\":%" PRIu64 ",\"unplaced\":%" PRIu64
           ",\"failed\":%" PRIu64 ",\"promised\":%" PRIu64 "}\n",
           seed, r->bad[0] ? "false" : "true", r->bad, r->hash, seconds(r->ran),
           took, r->events, r->faults, r->polls, r->requests, r->bytes,
           r->writes, r->refused, r->epochs, r->judged, seconds(r->leaderless),
           seconds(r->crash), seconds(r->release), seconds(r->full_seen),
           seconds(r->sick_seen), seconds(r->removed_seen), r->uploads,
           r->stored, r->no_room, r->unplaced, r->failed, r->promised);
}

static void
print_text(const struct sim_report *r, uint64_t seed, double took)
{
    printf("seed %" PRIu64 ": %s, run %016" PRIx64 "\n", seed,
           r->bad[0] ? "WRONG" : "good", r->hash);
    printf("  %.0f s of virtual time in %.2f s; %" PRIu64 " events, %" PRIu64
           " faults and changes\n",
           seconds(r->ran), took, r->events, r->faults);
    printf("  %" PRIu64 " polls at elements, %" PRIu64
           " requests at the store (%.1f MB)\n",
           r->polls, r->requests, (double)r->bytes / 1e6);
    printf("  %" PRIu64 " epochs; %" PRIu64 " writes accepted, %" PRIu64
           " refused as stale\n",
           r->epochs, r->writes, r->refused);
    printf("  no leader for %.1f s at most when all was well; %.1f s after "
           "one died, %.3f s after one left\n",
           seconds(r->leaderless), seconds(r->crash), seconds(r->release));
    printf("  chosen at most %.1f s after it was full, %.1f s sick, %.1f s "
           "removed (%" PRIu64 " verdicts)\n",
           seconds(r->full_seen), seconds(r->sick_seen),
           seconds(r->removed_seen), r->judged);
    printf("  %" PRIu64 " uploads: %" PRIu64 " stored, %" PRIu64
           " refused with 507, %" PRIu64 " with 503, %" PRIu64
           " failed; %.1f GiB promised at a time at most\n",
           r->uploads, r->stored, r->no_room, r->unplaced, r->failed,
           (double)r->promised / (double)GIB);
}

static int
run_one(const struct sim_args *a, struct sim_conf *c, uint64_t seed)
{
    struct sim_report r;
    double began = cpu();

    c->seed = seed;
    if (sim_run(c, &r) != ERR_OK) {
        fprintf(stderr, "artstore sim: no memory\n");
        return CLI_FAILED;
    }
    if (a->json)
        print_json(&r, seed, cpu() - began);
    else if (!a->silent && (a->seeds == 1 || r.bad[0]))
        print_text(&r, seed, cpu() - began);
    if (r.bad[0]) {
        if (!a->json)
            printf("%s\n", r.bad);
        print_command(a, seed);
    }
    return r.bad[0] ? CLI_FAILED : CLI_OK;
}

static int
cmd_sim(int argc, char **argv)
{
    struct sim_args a = {.c = CLI_COMMON_DEFAULT,
                         .seed = 1,
                         .seeds = 1,
                         .hours = 1,
                         .quiet = 12,
                         .ingesters = 4,
                         .elements = 100,
                         .uploads = UPLOADS};
    struct opt_words words;
    struct sim_conf c = {.faults = SIM_ALL};
    struct slice wrong = SLICE_NULL;
    int r = cli_parse("sim", argc, argv, &a, 0, 0, &words);

    if (r != CLI_GO)
        return r;
    if (a.faults) {
        c.faults = 0;
        if (!bits_of(a.faults, sim_fault_name, SIM_FAULT_COUNT, &c.faults,
                     &wrong))
            return no_such("faults", wrong, sim_fault_name, SIM_FAULT_COUNT);
    }
    if (a.without &&
        !bits_of(a.without, sim_break_name, SIM_BREAK_COUNT, &c.breaks, &wrong))
        return no_such("without", wrong, sim_break_name, SIM_BREAK_COUNT);
    c.length = dur_s((int64_t)(a.hours * 3600 + a.minutes * 60));
    c.quiet = dur_s((int64_t)a.quiet * 60);
    c.ingesters = (unsigned)a.ingesters;
    c.elements = (unsigned)a.elements;
    c.refresh = dur_s((int64_t)a.refresh);
    c.uploads = (unsigned)a.uploads;
    if (a.verbose)
        c.tell = tell;
    for (uint64_t i = 0; i < a.seeds; i++) {
        r = run_one(&a, &c, a.seed + i);
        if (r != CLI_OK)
            return r;
    }
    if (a.seeds > 1 && !a.json)
        printf("%" PRIu64 " seeds from %" PRIu64 " on: good\n", a.seeds,
               a.seed);
    return CLI_OK;
}

const struct cli_command sim_commands[] = {
    {
        .name = "sim",
        .summary = "run gateways and elements in virtual time, with faults",
        .usage = "[OPTION]...",
        .run = cmd_sim,
        .opts = sim_opts,
        .about =
            "Nothing is opened and nothing is written: it is all in memory, "
            "and the same options give the same run. The gateways are those "
            "of the program; the network, the store, the elements and their "
            "clocks are simulated, and after each event it is looked at "
            "whether one leader writes, whether anybody would choose an "
            "element that is full, sick or removed, whether more room was "
            "promised than there is, and at the end whether all see the "
            "same.\n\n"
            "Faults: cut, far, slow, pause, clock, kill, store, forget, "
            "failover, death, full, churn; doc/simulator.md says what they "
            "are. Exit status 1 when something was wrong; the last line is "
            "the command that does it again.",
        .example = "artstore sim --seed 7 --hours 24\n"
                   "artstore sim --seeds 100 --elements 8\n"
                   "artstore sim --hours 24 --faults none --refresh 60",
    },
    {0},
};

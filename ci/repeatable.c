/* Preloaded by ci/instructions, so that every run of a program goes the same way, and the way that it goes without
 * valgrind.
 *
 * Secrets are the same in every run. The clock stands still, but for a step each time that the main thread reads
 * it, as long as a call takes in life: under valgrind a call takes fifty times as long, and what a store does every
 * so many milliseconds, such as to time a sample of the calls, it would do to most of them. */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define STEP_NS 500
#define SECOND_NS 1000000000

static uint64_t since_start_ns;
static __thread int is_main __attribute__((tls_model("initial-exec")));

__attribute__((constructor)) static void start(void)
{
    is_main = 1;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    uint64_t ns = __atomic_load_n(&since_start_ns, __ATOMIC_RELAXED);
    if (is_main) {
        ns += STEP_NS;
        __atomic_store_n(&since_start_ns, ns, __ATOMIC_RELAXED);
    }
    time->tv_sec = (clock == CLOCK_REALTIME ? 1800000000 : 100000) + (time_t)(ns / SECOND_NS);
    time->tv_nsec = (long)(ns % SECOND_NS);
    return 0;
}

ssize_t getrandom(void *buffer, size_t length, unsigned int flags)
{
    unsigned char *bytes = buffer;
    (void)flags;
    for (size_t i = 0; i < length; i++)
        bytes[i] = (unsigned char)(0x9D * i + 0x5B);
    return (ssize_t)length;
}

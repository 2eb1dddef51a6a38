/*
 * The fuzz harnesses under AFL++: persistent mode, inputs by shared memory
 * where its compiler offers that; by standard input with any other.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOPS	10000		/* inputs of one process: bounds any leak */

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#ifdef __AFL_FUZZ_INIT
__AFL_FUZZ_INIT();
#else
#define INPUT_MAX	(1024 * 1024)	/* bytes */
#endif

/* In memory of exactly that size: a sanitizer sees a read beyond. */
static void
run(const uint8_t *data, size_t len)
{
	uint8_t	*copy;

	if ((copy = malloc(len > 0 ? len : 1)) == NULL)
		abort();
	memcpy(copy, data, len);
	(void)LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

int
main(void)
{
#ifdef __AFL_FUZZ_INIT
	const uint8_t	*data;

	__AFL_INIT();
	data = __AFL_FUZZ_TESTCASE_BUF;
	while (__AFL_LOOP(LOOPS))
		run(data, (size_t)__AFL_FUZZ_TESTCASE_LEN);
#else
	static uint8_t	 input[INPUT_MAX];
	size_t		 len = 0;
	ssize_t		 n;

	while (len < sizeof(input) && (n = read(STDIN_FILENO, input + len,
	    sizeof(input) - len)) > 0)
		len += (size_t)n;
	run(input, len);
#endif
	return 0;
}

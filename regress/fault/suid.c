/* A setuid program of root's: does it gain anything by that? */
#include <sys/types.h>

#include <errno.h>
#include <unistd.h>

#include "attack.h"

int
main(void)
{
	return geteuid() == 0 ? ATTACK_THROUGH : ATTACK_THROUGH + EPERM;
}

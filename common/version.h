#ifndef UPD_VERSION_H
#define UPD_VERSION_H
/* make VERSION=1.2.3 builds another one. */
#ifndef UPD_VERSION
#define UPD_VERSION	"0.1.0"
#endif
#endif

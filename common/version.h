#ifndef UPD_VERSION_H
#define UPD_VERSION_H
#define UPD_VERSION	"0.1.0"
#endif

// Package main is mimecast.so, a Fluent Bit input plugin: what the host calls,
// and nothing else. What each call does is in instance.go, what is asked of the
// host in host.go.
//
// The host loads the library once, registers it once per configuration, and
// makes an instance of each [INPUT] block. From version 2.0 on each instance
// has a thread of its own, on which all calls for it come, but perhaps Exit; a
// thread-local handle tells which instance a call is for. A hot reload ends the
// instances and makes new ones in the same process and the same library.
//
// No call waits for the network or the disk, and none lets a panic out: that
// would end the host with all its pipelines.
package main

/*
#include <stdlib.h>
#include "host.h"
*/
import "C"

import (
	"fmt"
	"os"
	"runtime/debug"
	"unsafe"

	"github.com/fluent/fluent-bit-go/input"
)

const (
	pluginName        = "mimecast"
	pluginDescription = "Collect mail security logs from Mimecast's API"
)

// FLBPluginPreRegister is called before Register, on the main thread, with 1
// when the host is about to reload its configuration. It returns 0; -1 would
// keep the plugin from being registered.
//
//export FLBPluginPreRegister
func FLBPluginPreRegister(hotReloading C.int) C.int {
	plugin.reloading.Store(hotReloading != 0)
	return 0
}

// FLBPluginRegister is called once per configuration, also for a dry run, on
// the main thread. It fills in what kind of plugin this is and returns 0; -1
// would keep the plugin from being registered. It starts nothing.
//
//export FLBPluginRegister
func FLBPluginRegister(def unsafe.Pointer) C.int {
	return C.int(input.FLBPluginRegister(def, pluginName, pluginDescription))
}

// mimecastUnregister is FLBPluginUnregister, for which see host.c.
//
//export mimecastUnregister
func mimecastUnregister(def unsafe.Pointer) {
	input.FLBPluginUnregister(def)
}

// mimecastInit is FLBPluginInit, for which see host.c.
//
//export mimecastInit
func mimecastInit(plug unsafe.Pointer) (status C.int) {
	status = input.FLB_ERROR
	defer recovered("init")
	if started(plug) {
		status = input.FLB_OK
	}
	return status
}

// FLBPluginInputCallback is called every second, on the instance's thread, and
// may take 0.9 s; while it runs the thread takes no pause and no exit. What it
// puts in data and size, allocated by malloc, the host copies and then gives to
// the cleanup callback. It leaves both alone where records can be appended
// directly. It returns FLB_OK.
//
//export FLBPluginInputCallback
func FLBPluginInputCallback(data *unsafe.Pointer, size *C.size_t) C.int {
	*data, *size = nil, 0
	defer recovered("callback")
	if i := current(); i != nil {
		if buf := i.collect(); len(buf) > 0 {
			*data, *size = C.CBytes(buf), C.size_t(len(buf))
		}
	}
	return input.FLB_OK
}

// FLBPluginInputCleanupCallback is called after a callback that returned data,
// on the same thread, and frees it. That the host calls it does not mean that
// it has stored the data. It returns FLB_OK.
//
//export FLBPluginInputCleanupCallback
func FLBPluginInputCleanupCallback(data unsafe.Pointer) C.int {
	C.free(data)
	return input.FLB_OK
}

// FLBPluginInputPause is called, on the instance's thread, when the host takes
// no more records of the instance, and at its end. The host may go on calling
// the callback all the same.
//
//export FLBPluginInputPause
func FLBPluginInputPause() {
	defer recovered("pause")
	if i := current(); i != nil {
		i.pause()
	}
}

// FLBPluginInputResume is called, on the instance's thread, when a pause ends.
//
//export FLBPluginInputResume
func FLBPluginInputResume() {
	defer recovered("resume")
	if i := current(); i != nil {
		i.resume()
	}
}

// FLBPluginExit is called once per instance at its end. In version 5 it comes
// on the instance's thread while the main thread waits; where it comes on
// another thread, all instances are at their end. It takes about a second at
// most and returns FLB_OK.
//
//export FLBPluginExit
func FLBPluginExit() C.int {
	defer recovered("exit")
	if i := current(); i != nil {
		i.exit()
		return input.FLB_OK
	}
	for _, i := range all() {
		i.exit()
	}
	return input.FLB_OK
}

// recovered is deferred in every call: a bug of this plugin must not end the
// host.
func recovered(call string) {
	r := recover()
	if r == nil {
		return
	}
	if i := current(); i != nil {
		i.log.Error("a bug in this plugin; please report it", "in", call, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		i.lines.flush(i.host)
		return
	}
	fmt.Fprintf(os.Stderr, "[input:mimecast] a bug in this plugin; please report it: in %s: %v\n%s\n", call, r, debug.Stack())
}

func main() {}

// Package main is mimecast.so, a Fluent Bit input plugin: what the host calls,
// and nothing else. The calls come to host.c, which passes them on to the
// functions here unless the host has no Go runtime. What each call does is in
// instance.go, what is asked of the host in host.go.
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

// mimecastPreRegister is FLBPluginPreRegister, for which see host.c, as for all
// functions here of that kind.
//
//export mimecastPreRegister
func mimecastPreRegister(hotReloading C.int) C.int {
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

//export mimecastUnregister
func mimecastUnregister(def unsafe.Pointer) {
	input.FLBPluginUnregister(def)
}

//export mimecastInit
func mimecastInit(plug unsafe.Pointer) (status C.int) {
	status = input.FLB_ERROR
	defer recovered("init")
	if started(plug) {
		status = input.FLB_OK
	}
	return status
}

//export mimecastCallback
func mimecastCallback(data *unsafe.Pointer, size *C.size_t) C.int {
	defer recovered("callback")
	if i := current(); i != nil {
		if buf := i.collect(); len(buf) > 0 {
			*data, *size = C.CBytes(buf), C.size_t(len(buf))
		}
	}
	return input.FLB_OK
}

//export mimecastPause
func mimecastPause() {
	defer recovered("pause")
	if i := current(); i != nil {
		i.pause()
	}
}

//export mimecastResume
func mimecastResume() {
	defer recovered("resume")
	if i := current(); i != nil {
		i.resume()
	}
}

//export mimecastExit
func mimecastExit() C.int {
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

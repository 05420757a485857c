// Go's net/rpc with a MessagePack-RPC codec: HOST:PORT. Prints what it sees.
package main

import (
	"fmt"
	"net"
	"net/rpc"
	"os"
	"time"

	codec "CODEC"
)

func main() {
	time.AfterFunc(30*time.Second, func() { fmt.Println("too slow"); os.Exit(1) })
	connection, err := net.Dial("tcp", os.Args[1])
	if err != nil {
		panic(err)
	}
	var handle codec.MsgpackHandle
	handle.RawToString = true
	client := rpc.NewClientWithCodec(codec.MsgpackSpecRpc.ClientCodec(connection, &handle))

	var sum int64
	fmt.Println("add", client.Call("Calculator.add", codec.MsgpackSpecRpcMultiArgs{2, 3}, &sum), sum)
	var text string
	// One argument need not be put into a list.
	fmt.Println("sync", client.Call("sync", "loud", &text), text)
	var echo []int64
	list := []int64{1, -1 << 63, 1<<63 - 1}
	fmt.Println("echo", client.Call("Calculator/echo", codec.MsgpackSpecRpcMultiArgs{list}, &echo), echo)

	calls := make([]*rpc.Call, 0)
	sums := make([]int64, 200)
	for i := range sums {
		arguments := codec.MsgpackSpecRpcMultiArgs{i, i}
		calls = append(calls, client.Go("Calculator.add", arguments, &sums[i], nil))
	}
	wrong := 0
	for i, call := range calls {
		if <-call.Done; call.Error != nil || sums[i] != int64(2*i) {
			wrong++
		}
	}
	fmt.Println("pipelined", len(calls), "wrong", wrong)

	var result float64
	fmt.Println("divide", client.Call("divide", codec.MsgpackSpecRpcMultiArgs{1, 0}, &result))
	fmt.Println("take", client.Call("take", 8, &sum))
	fmt.Println("ad", client.Call("ad", codec.MsgpackSpecRpcMultiArgs{}, &sum))
	// An error has not ended the connection.
	fmt.Println("add", client.Call("Calculator.add", codec.MsgpackSpecRpcMultiArgs{20, 22}, &sum), sum)
}

// With gorilla/websocket: go run gorilla.go ws://127.0.0.1:8000
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/gorilla/websocket"
)

func tell(step string, seen map[string]interface{}) {
	seen["step"] = step
	line, _ := json.Marshal(seen)
	fmt.Println(string(line))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func dial(path string, dialer websocket.Dialer) *websocket.Conn {
	connection, _, err := dialer.Dial(os.Args[1]+path, nil)
	check(err)
	return connection
}

func send(connection *websocket.Conn, kind int, data []byte) []byte {
	check(connection.WriteMessage(kind, data))
	return next(connection)
}

func next(connection *websocket.Conn) []byte {
	_, data, err := connection.ReadMessage()
	check(err)
	return data
}

func compare(sent, received []byte) map[string]interface{} {
	return map[string]interface{}{"length": len(received), "same": bytes.Equal(sent, received)}
}

// The end of a connection: the close of the peer, or the error.
func end(connection *websocket.Conn) map[string]interface{} {
	_, _, err := connection.ReadMessage()
	seen := map[string]interface{}{"error": err.Error()}
	if closed, ok := err.(*websocket.CloseError); ok {
		seen["code"] = closed.Code
		seen["reason"] = closed.Text
	}
	return seen
}

func main() {
	echo := dial("/echo", websocket.Dialer{Subprotocols: []string{"superchat", "chat"}})
	tell("open", map[string]interface{}{"protocol": echo.Subprotocol()})
	for _, each := range [][]string{
		{"text", "hello"},
		{"unicode", "Grüße, 世界 👋"},
		{"ping of the server", "ping me"},
	} {
		received := send(echo, websocket.TextMessage, []byte(each[1]))
		tell(each[0], map[string]interface{}{"echo": string(received)})
	}
	received := send(echo, websocket.BinaryMessage, []byte{0, 1, 2, 253, 254, 255})
	numbers := []int{}
	for _, each := range received {
		numbers = append(numbers, int(each))
	}
	tell("binary", map[string]interface{}{"echo": numbers})
	large := make([]byte, 1048576)
	for i := range large {
		large[i] = byte(i % 251)
	}
	tell("large", compare(large, send(echo, websocket.BinaryMessage, large)))
	pong := make(chan string, 1)
	echo.SetPongHandler(func(data string) error { pong <- data; return nil })
	check(echo.WriteControl(websocket.PingMessage, []byte("payload"), time.Now().Add(10*time.Second)))
	// Reading calls the handler.
	send(echo, websocket.TextMessage, []byte("after the ping"))
	tell("ping", map[string]interface{}{"pong": <-pong})
	check(echo.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(4001, "bye")))
	tell("close", end(echo))
	echo.Close()

	// Its frames are as long as its buffer, so this message has three.
	parts := dial("/echo", websocket.Dialer{WriteBufferSize: 5})
	writer, err := parts.NextWriter(websocket.TextMessage)
	check(err)
	_, err = io.WriteString(writer, "in three parts")
	check(err)
	check(writer.Close())
	tell("parts", map[string]interface{}{"echo": string(next(parts))})
	parts.Close()

	compressed := dial("/compressed", websocket.Dialer{EnableCompression: true})
	zeros := make([]byte, 100000)
	tell("compressed", compare(zeros, send(compressed, websocket.BinaryMessage, zeros)))
	compressed.Close()

	tell("close of the server", end(dial("/goodbye", websocket.Dialer{})))

	lost := dial("/lost", websocket.Dialer{})
	check(lost.WriteMessage(websocket.TextMessage, []byte("lose me")))
	tell("lost", end(lost))

	_, response, err := websocket.DefaultDialer.Dial(os.Args[1]+"/refused", nil)
	body, _ := io.ReadAll(response.Body)
	tell("refused", map[string]interface{}{
		"error": err.Error(), "status": response.StatusCode, "body": string(body),
	})
}

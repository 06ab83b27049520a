// A chat over lines of text: the first line is your name, every other line
// goes to everybody. One process, since messages do not cross processes yet:
// with --workers 2 there are two rooms. Try it with several of these:
//   nc 127.0.0.1 5678

#include <brigade/brigade.h>

#include <string>
#include <string_view>

class Chat : public brigade::Worker {
 public:
  Chat() : Worker("text://0.0.0.0:5678") {
    name = "chat";
    maxPackageSize = 4096;
  }

  void onConnect(brigade::TcpConnection& connection) override {
    connection.send("Welcome. What is your name?");
  }

  void onMessage(brigade::TcpConnection& connection,
                 const brigade::Message& line) override {
    auto& person = connection.context<Person>();
    if (person.name.empty()) {
      join(connection, person, line.data());
    } else if (!line.data().empty()) {
      tellOthers(connection, person.name + ": " + std::string(line.data()));
    }
  }

  void onClose(brigade::TcpConnection& connection) override {
    const auto& person = connection.context<Person>();
    if (!person.name.empty()) tellOthers(connection, person.name + " left");
  }

 private:
  struct Person {
    std::string name;
  };

  void join(brigade::TcpConnection& connection, Person& person,
            std::string_view wanted) {
    if (wanted.empty() || wanted.size() > 32) {
      connection.send("A name has 1 to 32 characters. What is your name?");
    } else if (isTaken(wanted)) {
      connection.send("Somebody has that name. What is your name?");
    } else {
      person.name = wanted;
      connection.send("Hello, " + person.name + ". Here: " + everybody());
      tellOthers(connection, person.name + " joined");
    }
  }

  bool isTaken(std::string_view wanted) {
    for (brigade::TcpConnection& other : connections()) {
      if (other.context<Person>().name == wanted) return true;
    }
    return false;
  }

  std::string everybody() {
    std::string names;
    for (brigade::TcpConnection& other : connections()) {
      const std::string& one = other.context<Person>().name;
      if (one.empty()) continue;
      if (!names.empty()) names += ", ";
      names += one;
    }
    return names;
  }

  void tellOthers(brigade::TcpConnection& from, const std::string& line) {
    for (brigade::TcpConnection& other : connections()) {
      if (&other != &from && !other.context<Person>().name.empty()) {
        other.send(line);
      }
    }
  }
};

int main(int argc, char** argv) {
  Chat chat;
  return brigade::run(argc, argv, {&chat});
}

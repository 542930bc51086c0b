#include "cmd/commands.h"
int main() { return static_cast<int>(weir::cmd::commands().size()); }

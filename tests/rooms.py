"""The rooms of the package, as they lie upon each other."""

#: From the top down; rooms of one line do not know each other.
FLOORS = [
    ["cli"],
    ["mlflow", "onnx"],
    ["tables", "displays", "search"],
    ["distributed"],
    ["estimators", "textbook"],
    ["callbacks"],
    ["storage"],
    ["models"],
    ["training"],
    ["prediction"],
    ["planning"],
    ["network", "data"],
    ["teams"],
    ["engine"],
    ["ops"],
    ["products"],
    ["machine"],
    ["compiler"],
    ["system"],
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

"""
The cat classifier, step by step
================================

A course that many have taken trains four layers to tell images of cats from others, with
every step written out. Its images carry no licence, so here the same network looks at two
that scikit-learn ships, a temple and a flower, and tells from which of them a piece of 64 by
64 pixels is. ``scripts/cats.py`` trains on the cats, if you have them, and gets the course's
costs to the digit.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_images

from fastdnn import DeepNeuralNetwork

images = load_sample_images().images
names = ["temple", "flower"]
rng = np.random.default_rng(1)


def pieces(n, columns):
    """Return n pieces whose left edge is in a range of columns, and which image each is of."""
    Y = rng.integers(0, 2, n)
    X = np.empty((n, 64 * 64 * 3))
    for i, label in enumerate(Y):
        top, left = rng.integers(0, images[0].shape[0] - 64), rng.integers(*columns)
        X[i] = images[label][top : top + 64, left : left + 64].ravel() / 255
    return X, Y[:, None]


# Pieces to test on are from the right side of each image, those to train on from the rest.
X, Y = pieces(200, (0, 380))
X_test, Y_test = pieces(50, (444, 576))
figure, axes = plt.subplots(1, 6, figsize=(10, 2), layout="constrained")
for ax, x, label in zip(axes, X, Y[:, 0], strict=False):
    ax.imshow(x.reshape(64, 64, 3))
    ax.set(title=names[label], xticks=[], yticks=[])
plt.show()

# %%
# The network of the course: 12288 numbers, hidden layers of 20, 7 and 5 units with ReLU, and
# one sigmoid. The parameters can be looked at, and set.
network = DeepNeuralNetwork([12288, 20, 7, 5, 1])
network.initialize_parameters("lecun", random_state=1)
print({name: getattr(network, name).shape for name in ("W1", "b1", "W4", "b4")})

# %%
# One step, with all that it computes:
AL, caches = network.forward(X)
cost = network.cost(AL, Y)
grads = network.backward(AL, Y, caches)
print(f"cost {cost:.4f}, gradients {sorted(grads)[:4]} ...")

# %%
# The gradient of a weight, held against the difference that moving it makes:
row, column, step = 5000, 3, 1e-5
costs = []
for sign in (1, -1):
    network.W1[row, column] += sign * step
    costs.append(network.cost(network.forward(X)[0], Y))
    network.W1[row, column] -= sign * step
print(f"{grads['dW1'][row, column]:.8f} and {(costs[0] - costs[1]) / (2 * step):.8f}")

# %%
# Many steps, written out; then the same by one call, which runs compiled:
for _ in range(20):
    AL, caches = network.forward(X)
    grads = network.backward(AL, Y, caches)
    network.update_parameters(grads, learning_rate=0.0075)
print(f"cost after 20 steps: {network.cost(AL, Y):.4f}")

costs = network.gradient_descent(X, Y, learning_rate=0.0075, n_iterations=400)
print(f"accuracy in training {network.score(X, Y):.2f}")
print(f"on the rest of the images {network.score(X_test, Y_test):.2f}")

ax = plt.figure(figsize=(6, 3.5), layout="constrained").gca()
ax.plot(costs)
ax.set(xlabel="step", ylabel="cost")
plt.show()

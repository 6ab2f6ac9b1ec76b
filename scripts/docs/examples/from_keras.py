"""
Coming from Keras
=================

A model of dense layers, compiled and fitted in Keras, which is not needed here, reads::

    model = keras.Sequential([
        keras.Input((64,)),
        keras.layers.GaussianNoise(0.1),
        keras.layers.Dense(128, activation="silu"), keras.layers.Dropout(0.2),
        keras.layers.Dense(64, activation="silu"), keras.layers.Dropout(0.2),
        keras.layers.Dense(10, activation="softmax"),
    ])
    model.compile(
        keras.optimizers.Nadam(1e-3, global_clipnorm=1.0),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.05),
        metrics=["accuracy"],
    )
    model.fit(
        X, keras.utils.to_categorical(y), batch_size=64, epochs=40,
        validation_data=(X_val, keras.utils.to_categorical(y_val)),
        callbacks=[
            keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True),
            keras.callbacks.ReduceLROnPlateau(patience=3, factor=0.5),
        ],
    )

Here all of it are parameters, in one place, which a search can tune. Labels stay labels: how
many classes and features there are is found in the data.
"""

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from fastdnn import DNNClassifier, LossCurveDisplay, NetworkDisplay

X, y = load_digits(return_X_y=True)
X, X_val, y, y_val = train_test_split(X / 16, y, random_state=0, stratify=y)

model = DNNClassifier(
    hidden_layer_sizes=(128, 64),
    activation="silu",
    input_noise=0.1,
    dropout=0.2,
    solver="nadam",
    learning_rate_init=1e-3,
    clip_norm=1.0,
    label_smoothing=0.05,
    batch_size=64,
    max_iter=40,
    early_stopping=True,
    n_iter_no_change=5,
    learning_rate="plateau",
    learning_rate_patience=3,
    learning_rate_factor=0.5,
    random_state=0,
)
model.fit(X, y, X_val=X_val, y_val=y_val)
print(f"best accuracy on the validation data: {model.best_validation_score_:.4f}")

# %%
# What ``model.fit`` returns in Keras is ``history_`` here:
display = LossCurveDisplay.from_estimator(model, quantity="both")

# %%
# And ``model.summary()`` is a picture:
for name, array in zip(("first", "second", "output"), model.coefs_, strict=True):
    print(f"{name} layer: {array.shape[0]} -> {array.shape[1]}")
display = NetworkDisplay.from_estimator(model, max_units=12)
